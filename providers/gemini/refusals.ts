import { z } from "zod";
import type { AdapterCode } from "../../src/contract/errors.ts";
import type { HttpRequest } from "../../src/contract/http.ts";

type Refusal = NonNullable<HttpRequest<unknown>["refusal"]>;

/** Google's one error shape; the reason of an `ErrorInfo` is the part that is stable. */
const errorBody = z.looseObject({
  error: z.looseObject({ status: z.string(), details: z.array(z.looseObject({ reason: z.string().optional() })).optional() }),
});

function read(body: unknown): { readonly status?: string; readonly reasons: readonly string[] } {
  const error = errorBody.safeParse(body).data?.error;
  if (error === undefined) return { reasons: [] };
  return { status: error.status, reasons: (error.details ?? []).flatMap(({ reason }) => (reason === undefined ? [] : [reason])) };
}

/** What the API Keys API refuses. */
export const adminRefusal: Refusal = (status, body) => {
  if (status === 401)
    return { code: "unauthorized", detail: "the access token is not accepted", cure: "put a valid service account key in adminKey" };
  if (status === 409 && read(body).status === "ABORTED") return { code: "inconclusive", detail: "another change is under way" };
  if (status === 404 && read(body).status === undefined)
    return { code: "malformed", detail: "which is not Google's answer", cure: "is baseUrl that of the API Keys API?" };
  if (status !== 403) return undefined;
  const cure = "give the account of adminKey the role API Keys Admin, enable apikeys.googleapis.com, and let it act as serviceAccount";
  return { code: "forbidden", detail: "the admin account may not do this", cure };
};

/** The default policy of an organization forbids to bind keys; that Google says so with this status is not documented. */
export const createRefusal: Refusal = (status, body) => {
  if (status !== 400 || read(body).status !== "FAILED_PRECONDITION") return adminRefusal(status, body);
  const cure = "lift the organization policy iam.managed.disableServiceAccountApiKeyCreation for this project";
  return { code: "invalid", detail: "the project is not ready for a key that is bound to a service account", cure };
};

/** A key that is deleted already is refused as a failed precondition, not as unknown. */
export const deleteRefusal: Refusal = (status, body) =>
  status === 400 && read(body).status === "FAILED_PRECONDITION" ? { code: "undeletable" } : adminRefusal(status, body);

/** An unknown service account is `invalid_grant`; a key of it that was deleted, as well, and a signature of another time. */
export function signInRefusal(status: number): { readonly code: AdapterCode; readonly detail: string; readonly cure?: string } {
  const detail = `status ${status}`;
  if (status === 400 || status === 401) {
    const cure = "put a valid service account key in adminKey; a clock of this host that is some minutes off is refused the same way";
    return { code: "unauthorized", detail: `${detail}, the service account key is not accepted`, cure };
  }
  if (status === 403) return { code: "forbidden", detail };
  if (status === 429) return { code: "rateLimited", detail };
  if (status >= 500) return { code: "unavailable", detail };
  return { code: "malformed", detail, cure: "is tokenUrl that of Google's token endpoint?" };
}

/** Only `API_KEY_INVALID` says that there is no such key, and it comes with 400, not with 401. */
export const verifyRefusal: Refusal = (status, body) => {
  const error = read(body);
  if (status === 400 && error.status === "INVALID_ARGUMENT" && error.reasons.includes("API_KEY_INVALID")) return { code: "unauthorized" };
  if (status === 403 && error.status === "PERMISSION_DENIED") return { code: "forbidden", detail: "the key may not do this" };
  if (status === 401 && error.reasons.includes("ACCESS_TOKEN_TYPE_UNSUPPORTED"))
    return { code: "inconclusive", detail: "this class of key is no longer taken", cure: "bind keys to a service account" };
  if (status !== 401 && status !== 403) return undefined;
  return { code: "inconclusive", detail: "which does not say that there is no such key" };
};

/** Codes of `google.rpc.Code` with which an operation can end, where they say that nothing was done. */
const CODE_OF_RPC: Readonly<Record<number, AdapterCode>> = {
  3: "invalid",
  5: "notFound",
  6: "invalid",
  7: "forbidden",
  8: "rateLimited",
  9: "invalid",
  16: "unauthorized",
};

/** What the error of a finished operation means. */
export const operationFailure = (rpcCode: number): AdapterCode => CODE_OF_RPC[rpcCode] ?? "unavailable";

/** The same for a deletion: what {@link deleteRefusal} says at once may come at the end as well. */
export const deletionFailure = (rpcCode: number): AdapterCode => (rpcCode === 9 ? "undeletable" : operationFailure(rpcCode));
