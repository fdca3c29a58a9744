import { z } from "zod";
import type { HttpRequest } from "../../src/contract/http.ts";

type Refusal = NonNullable<HttpRequest<unknown>["refusal"]>;

/** Bedrock's door and its services spell the sentence of an error differently, and some name its kind beside it. */
const errorBody = z.looseObject({
  message: z.string().optional(),
  Message: z.string().optional(),
  __type: z.string().optional(),
  code: z.string().optional(),
});

/** Bedrock says with 403 both that there is no such key and that a key may not do something: only the sentence tells them apart. */
const NO_SUCH_KEY = [
  /^(Authentication failed: Please make sure your API Key is valid|Invalid API Key format|Bearer Token has expired)/,
  /\b(API key|security token)\b[^.,;:]*\bis (invalid|not valid)\b/i,
];
/** Behind a name space, and before an address. */
const NO_SUCH_KIND = /(^|#)(UnrecognizedClientException|InvalidClientTokenId)(:|$)/;
const MAY_NOT = /not authorized|explicit deny|don't have access/i;

/** What Bedrock refuses a key for. A sentence that is not known proves nothing: it would be a guess. */
export const verifyRefusal: Refusal = (status, body) => {
  const { message, Message, __type, code } = errorBody.safeParse(body).data ?? {};
  if (status < 500 && NO_SUCH_KIND.test(__type ?? code ?? "")) return { code: "unauthorized" };
  if (status !== 401 && status !== 403) return undefined;
  const sentence = Message ?? message ?? "";
  if (status === 403 && MAY_NOT.test(sentence)) {
    const cure = "allow the IAM user bedrock:CallWithBearerToken and the call of verify";
    return { code: "forbidden", detail: "the user of the key may not do this", cure };
  }
  if (NO_SUCH_KEY.some((known) => known.test(sentence))) return { code: "unauthorized" };
  return { code: "inconclusive", detail: "which does not say that there is no such key" };
};
