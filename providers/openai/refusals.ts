import { z } from "zod";
import type { HttpRequest } from "../../src/contract/http.ts";
import type { Settings } from "./settings.ts";

type Refusal = NonNullable<HttpRequest<unknown>["refusal"]>;

const errorBody = z.looseObject({
  error: z.looseObject({ code: z.string().nullish(), type: z.string().nullish(), message: z.string().nullish() }),
});

/** What the admin API refuses. */
export const adminRefusal: Refusal = (status) => {
  if (status === 401)
    return { code: "unauthorized", detail: "the admin key is not accepted", cure: "put a valid admin key (sk-admin-…) in adminKey" };
  if (status !== 403) return undefined;
  const cure = "give the admin key the permission api.management.write, in the organization of what it manages";
  return { code: "forbidden", detail: "the admin key may not do this", cure };
};

/** What ends a key that only goes with its account, and with every other key in that: first the one that serves must be elsewhere. */
const UNDELETABLE: Readonly<Record<Settings["accounts"], string>> = {
  shared:
    "the key that serves is in the same service account: set accounts: per-key and reload; rotatectl abandon, then rotatectl rotate; when that one is stuck here, too, its new key is elsewhere: delete the old service account at OpenAI, then: rotatectl retry",
  "per-key": "see that no key that is in use is in its service account, delete that account at OpenAI, then: rotatectl retry",
};

/** The older rule answers 400; nothing but a new account for each key helps there. */
export const deleteRefusal =
  (accounts: Settings["accounts"]): Refusal =>
  (status, body) => {
    if (status !== 400 || !errorBody.safeParse(body).success) return adminRefusal(status, body);
    return { code: "undeletable", detail: "the key of a service account cannot be deleted here", cure: UNDELETABLE[accounts] };
  };

/**
 * Only `invalid_api_key` says that there is no such key: a 401 may also be about scopes, or from somebody in between.
 * Error codes: https://platform.openai.com/docs/guides/error-codes
 */
export const verifyRefusal: Refusal = (status, body) => {
  const { code, type, message } = errorBody.safeParse(body).data?.error ?? {};
  if (status === 401 && code === "invalid_api_key") return { code: "unauthorized" };
  if (status === 429 && [code, type].includes("insufficient_quota")) return { code: "forbidden", detail: "the quota is used up" };
  if (status !== 401 && status !== 403) return undefined;
  const missingScopes = /insufficient permissions|missing scopes/i.test(message ?? "");
  if (missingScopes || (status === 403 && typeof message === "string" && code !== ELSEWHERE))
    return { code: "forbidden", detail: "the key may not do this" };
  return { code: "inconclusive", detail: "which does not say that there is no such key" };
};

/** A refusal of the place that the request comes from says nothing of its key. */
const ELSEWHERE = "unsupported_country_region_territory";
