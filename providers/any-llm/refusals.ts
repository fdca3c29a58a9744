import { z } from "zod";
import type { HttpRequest } from "../../src/contract/http.ts";

type Refusal = NonNullable<HttpRequest<unknown>["refusal"]>;

const errorBody = z.looseObject({ detail: z.string() });
const detailOf = (body: unknown): string => errorBody.safeParse(body).data?.detail ?? "";

/** What the key API refuses. */
export const adminRefusal: Refusal = (status, body) => {
  if (status === 401)
    return { code: "unauthorized", detail: "the master key is not accepted", cure: "put the gateway's master_key in adminKey" };
  if (status === 404 && detailOf(body) === "") return { code: "malformed", detail: "which is not this gateway's answer" };
  if (status !== 503 || !/^Master key not configured/.test(detailOf(body))) return undefined;
  return { code: "misconfigured", detail: "the gateway has no master key", cure: "set master_key in the gateway's configuration" };
};

/** A create is 404 when the user that the key shall belong to was deleted. */
export const createRefusal: Refusal = (status, body) => {
  if (status !== 404 || !/^User .* has been deleted/.test(detailOf(body))) return adminRefusal(status, body);
  const cure = "make the user again with POST /v1/users, or name another one in the setting user";
  return { code: "notFound", detail: "the user of the key was deleted", cure };
};

/**
 * The gateway's refusals differ in their text alone. A format that none of its keys has is no such key, too; what is in nobody's
 * list here proves nothing.
 */
const VERDICTS = [
  { status: 401, text: /^Invalid API key(?: format\b.*)?$/s, code: "unauthorized", detail: "there is no such key" },
  { status: 401, text: /^API key is inactive$/, code: "forbidden", detail: "the key is switched off" },
  { status: 401, text: /^API key has expired$/, code: "forbidden", detail: "the key has expired" },
  { status: 403, text: /^User .* is blocked$/s, code: "forbidden", detail: "the user of the key is blocked" },
  { status: 403, text: /^User .* has exceeded budget limit$/s, code: "forbidden", detail: "the budget is used up" },
] as const;

/** What a chat refuses. */
export const verifyRefusal: Refusal = (status, body) => {
  const text = detailOf(body);
  const known = VERDICTS.find((verdict) => verdict.status === status && verdict.text.test(text));
  if (known !== undefined) return { code: known.code, detail: known.detail };
  if (status !== 401 && status !== 403) return undefined;
  return { code: "inconclusive", detail: "which does not say that there is no such key" };
};
