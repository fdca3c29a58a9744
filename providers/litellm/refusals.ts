import { z } from "zod";
import type { HttpRequest } from "../../src/contract/http.ts";

type Refusal = NonNullable<HttpRequest<unknown>["refusal"]>;

const errorBody = z.looseObject({ error: z.looseObject({ type: z.string(), message: z.string() }) });
const errorOf = (body: unknown) => errorBody.safeParse(body).data?.error;
const routeBody = z.looseObject({ detail: z.string() });
/** What the web framework itself says. What the proxy says of a key that is not there has had more than one shape. */
const NO_SUCH_ROUTE = "Not Found";

/** What the key API refuses. A wrong admin key is told the same as a key that was deleted: here it says nothing of any other key. */
export const adminRefusal: Refusal = (status, body) => {
  const cure = "put the proxy's master key, or the key of a proxy admin, in adminKey";
  if (status === 401) return { code: "unauthorized", detail: "the admin key is not accepted", cure };
  if (status === 403) return { code: "forbidden", detail: "the admin key may not do this", cure };
  if (status !== 404 || (body !== undefined && routeBody.safeParse(body).data?.detail !== NO_SUCH_ROUTE)) return undefined;
  return { code: "malformed", detail: "which is not this proxy's answer", cure: "give baseUrl without /v1, and as the proxy is reached" };
};

/** Some versions say 400 of a key that is gone: whether it is must be looked at. */
export const deleteRefusal: Refusal = (status, body) =>
  status === 400 && body !== undefined ? { code: "undeletable" } : adminRefusal(status, body);

/** An instance may forbid secrets of our own, and then takes none from anybody. */
export const createRefusal: Refusal = (status, body) => {
  if (status !== 403 || !/Custom API key values are disabled/.test(errorOf(body)?.message ?? "")) return adminRefusal(status, body);
  const cure = "take disable_custom_api_keys out of the proxy's general_settings";
  return { code: "misconfigured", detail: "the proxy takes no secret of ours", cure };
};

/** What the proxy says in answer to a key itself: by type, and where that is said of several things by its text, too. */
const VERDICTS = [
  { type: /^token_not_found_in_db$/, text: /./, code: "unauthorized", detail: "there is no such key" },
  { type: /^auth_error$/, text: /\bexpected to start with 'sk-'/, code: "unauthorized", detail: "it has not the form of a key" },
  { type: /^auth_error$/, text: /\bKey is blocked\b/, code: "forbidden", detail: "the key is blocked" },
  { type: /^expired_key$/, text: /./, code: "forbidden", detail: "the key has expired" },
  { type: /^budget_exceeded$/, text: /./, code: "forbidden", detail: "the budget is used up" },
  { type: /_access_denied$/, text: /./, code: "forbidden", detail: "the key may not do this" },
] as const;

/** What a key is told that asks for the models, or for one token. */
export const verifyRefusal: Refusal = (status, body) => {
  const { type = "", message = "" } = errorOf(body) ?? {};
  const known = VERDICTS.find((verdict) => verdict.type.test(type) && verdict.text.test(message));
  if (known !== undefined && status < 500) return { code: known.code, detail: known.detail };
  if (status === 403 && /\bnot allowed to call this route\b/.test(routeBody.safeParse(body).data?.detail ?? ""))
    return { code: "forbidden", detail: "the key may not call this route", cure: "choose a verify that the key's routes allow" };
  if (status !== 401 && status !== 403) return undefined;
  return { code: "inconclusive", detail: "which does not say that there is no such key" };
};
