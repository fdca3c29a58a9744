import { z } from "zod";
import type { HttpRequest } from "../../src/contract/http.ts";

type Refusal = NonNullable<HttpRequest<unknown>["refusal"]>;

const errorBody = z.looseObject({ error: z.looseObject({ code: z.number(), message: z.string() }) });

/** Whether an answer is the vendor's own and not that of somebody in between: it says its status once more. */
const isTheVendors = (status: number, body: unknown): boolean => errorBody.safeParse(body).data?.error.code === status;

/** What the management API refuses. */
export const adminRefusal: Refusal = (status, body) => {
  const cure = "put a management key in adminKey (openrouter.ai/settings/management-keys); a key for inference may not manage keys";
  if (status === 401) return { code: "unauthorized", detail: "the management key is not accepted", cure };
  if (status === 403) return { code: "forbidden", detail: "the management key may not do this", cure };
  if (status !== 404 || isTheVendors(status, body)) return undefined;
  return { code: "malformed", detail: "which is not this vendor's answer", cure: "correct baseUrl" };
};

/** What a key is told about itself. A 401 of the vendor's own is its only word for a key that is not there. */
export const verifyRefusal: Refusal = (status, body) => {
  if (status !== 401 && status !== 402 && status !== 403) return undefined;
  if (!isTheVendors(status, body)) return { code: "inconclusive", detail: "which does not say that there is no such key" };
  if (status === 401) return { code: "unauthorized", detail: "there is no such key" };
  return { code: "forbidden", detail: status === 402 ? "no credit is left" : "the key may not do this" };
};
