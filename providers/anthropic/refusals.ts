import { z } from "zod";
import type { HttpRequest } from "../../src/contract/http.ts";

type Refusal = NonNullable<HttpRequest<unknown>["refusal"]>;

/** `type` and `error_code` are stable; the wording of a message is not, so nothing hangs on it. */
const errorBody = z.looseObject({
  type: z.literal("error"),
  error: z.looseObject({ type: z.string(), details: z.looseObject({ error_code: z.string().nullish() }).nullish() }),
});

function read(body: unknown): { readonly type?: string; readonly code?: string | undefined } {
  const error = errorBody.safeParse(body).data?.error;
  return error === undefined ? {} : { type: error.type, code: error.details?.error_code ?? undefined };
}

const FULL = ["org_api_key_limit_exceeded", "workspace_api_key_limit_exceeded"];

/** What the Admin API refuses. */
export const adminRefusal: Refusal = (status, body) => {
  const { code } = read(body);
  if (status === 401)
    return { code: "unauthorized", detail: "the admin key is not accepted", cure: "put a valid Admin key (sk-ant-admin…) in adminKey" };
  if (status === 403) {
    const cure =
      code === "sandbox_egress_restricted"
        ? "let this host reach the Admin API directly: Anthropic sees its requests come from a sandbox"
        : "put an Admin key in adminKey (sk-ant-admin…): no other kind of key may do this";
    return { code: "forbidden", detail: "the admin key may not do this", cure };
  }
  if (status !== 400 || code === undefined || !FULL.includes(code)) return undefined;
  const where = code === FULL[0] ? "organization" : "workspace";
  return {
    code: "invalid",
    detail: `the ${where} has as many active keys as it may`,
    cure: "archive or switch off a key that nobody uses",
  };
};

/** What a second archive is answered is not documented: a refusal may mean that it was done before. */
export const archiveRefusal: Refusal = (status, body) =>
  status === 400 && read(body).type === "invalid_request_error" ? { code: "undeletable" } : adminRefusal(status, body);

/** Answers that are about the account behind a key: Anthropic knows the key, and it may not work now. */
const MAY_NOT = [
  "organization_on_hold",
  "claude_code_key_creator_not_member",
  "contract_spend_limit_reached",
  "enforced_spend_limit_reached",
];

/**
 * Only `authentication_error` says that there is no such key. Anthropic answers so to a key that is switched off, too: what
 * is off and what is gone can be told apart in its list alone.
 */
export const verifyRefusal: Refusal = (status, body) => {
  const { type, code } = read(body);
  if (status === 401 && type === "authentication_error") return { code: "unauthorized" };
  if (status === 402 && type === "billing_error") return { code: "forbidden", detail: "billing stands in the way" };
  if (status === 403 && type === "permission_error" && code !== "sandbox_egress_restricted")
    return { code: "forbidden", detail: "the key may not do this" };
  if (code !== undefined && MAY_NOT.includes(code)) return { code: "forbidden", detail: `the account may not do this: ${code}` };
  if (status !== 401 && status !== 403) return undefined;
  return { code: "inconclusive", detail: "which does not say that there is no such key" };
};
