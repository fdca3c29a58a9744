import { z } from "zod";
import type { AdapterCode } from "../../src/contract/errors.ts";
import type { HttpRequest } from "../../src/contract/http.ts";

type Refusal = NonNullable<HttpRequest<unknown>["refusal"]>;

const word = z.union([z.string(), z.number().transform(String)]).nullish();
/** The shape of errors of the management and of the inference API; the door before them says the same without the outer field. */
const errorBody = z.union([
  z.looseObject({ error: z.looseObject({ code: word, message: z.string().optional() }) }).transform(({ error }) => error),
  z.looseObject({ code: word, message: z.string() }),
]);

function read(body: unknown): { readonly code: string; readonly message: string } {
  const error = errorBody.safeParse(body).data;
  return { code: error?.code ?? "", message: error?.message ?? "" };
}

/** What Azure Resource Manager refuses. */
export const armRefusal: Refusal = (status) => {
  switch (status) {
    case 401:
      return {
        code: "unauthorized",
        detail: "the access token is not accepted",
        cure: "look at signIn, and whether baseUrl is of the same cloud",
      };
    case 403:
      return {
        code: "forbidden",
        detail: "the identity of signIn may not do this",
        cure: "give it a role with Microsoft.CognitiveServices/accounts/listKeys/action and …/regenerateKey/action on the account",
      };
    case 404:
      return { code: "notFound", detail: "there is no such account", cure: "look at subscription, resourceGroup and account" };
    case 409:
      // RequestConflict, Conflict, AnotherOperationInProgress: it has many words for one thing, which passes.
      return { code: "inconclusive", detail: "another change of the account is under way" };
    default:
      return undefined;
  }
};

/**
 * Only this text says that there is no such key. The same is said at the address of another account, which is why a refusal
 * counts only beside a key that is accepted there.
 */
const NO_SUCH_KEY = /^Access denied due to invalid subscription key\b/;

/** What the list of models refuses. */
export const verifyRefusal: Refusal = (status, body) => {
  if (status !== 401 && status !== 403) return undefined;
  const { code, message } = read(body);
  if (status === 401 && NO_SUCH_KEY.test(message)) return { code: "unauthorized" };
  if (status === 403 && code === "AuthenticationTypeDisabled")
    return { code: "forbidden", detail: "the account takes no keys", cure: "set disableLocalAuth to false on the account" };
  if (status === 403 && /\bquota\b/i.test(message)) return { code: "forbidden", detail: "the quota is used up" };
  return { code: "inconclusive", detail: "which does not say that there is no such key" };
};

/** What Entra, or the metadata service of a machine, refuses. Its 400 is an unknown tenant, application or identity. */
export function signInRefusal(status: number): { readonly code: AdapterCode; readonly detail: string } {
  const detail = `status ${status}`;
  if (status === 400 || status === 401) return { code: "unauthorized", detail: `${detail}, the identity of signIn is not accepted` };
  if (status === 403) return { code: "forbidden", detail };
  if (status === 429) return { code: "rateLimited", detail };
  return { code: status >= 500 || status === 404 || status === 410 ? "unavailable" : "malformed", detail };
}
