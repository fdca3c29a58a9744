import { type AdapterCode, AdapterError } from "../contract/errors.ts";

/** What one of AWS's words means to one caller, where it knows better than the table; gets the HTTP status, too. */
export type AwsRefusal = (word: string, status: number | undefined) => { readonly code: AdapterCode; readonly cure?: string } | undefined;

/** AWS's words for what went wrong, in all of its services. */
const CODES = {
  ResourceNotFoundException: "notFound",
  NoSuchEntityException: "notFound",
  InvalidRequestException: "misconfigured",
  ServiceNotSupportedException: "misconfigured",
  InvalidParameterException: "invalid",
  InvalidInputException: "invalid",
  ValidationException: "invalid",
  ValidationError: "invalid",
  ResourceExistsException: "invalid",
  LimitExceededException: "forbidden",
  AccessDeniedException: "forbidden",
  AccessDenied: "forbidden",
  OptInRequired: "forbidden",
  DecryptionFailure: "forbidden",
  EncryptionFailure: "forbidden",
  ThrottlingException: "rateLimited",
  Throttling: "rateLimited",
  TooManyRequestsException: "rateLimited",
  ConcurrentModificationException: "inconclusive",
  EntityTemporarilyUnmodifiableException: "inconclusive",
  InternalServiceError: "unavailable",
  ServiceFailureException: "unavailable",
  UnrecognizedClientException: "unauthorized",
  InvalidClientTokenId: "unauthorized",
  InvalidSignatureException: "unauthorized",
  SignatureDoesNotMatch: "unauthorized",
  MissingAuthenticationToken: "unauthorized",
  RequestExpired: "unauthorized",
  ExpiredTokenException: "unauthorized",
  ExpiredToken: "unauthorized",
  CredentialsProviderError: "unauthorized",
} as const satisfies Record<string, AdapterCode>;

/** Whether this is one of AWS's words for a caller that it does not take, for whatever reason. */
export const saysUnauthorized = (word: string): boolean => (CODES as Readonly<Record<string, AdapterCode>>)[word] === "unauthorized";

/** The parts of an SDK's error that hold nothing of a reply's content. */
interface SdkError {
  readonly name?: string;
  /** Only there when the SDK understood the answer as an error of the service. */
  readonly $fault?: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
  readonly $response?: { readonly headers?: Readonly<Record<string, string>> };
}

/** What the SDK calls an answer in which it finds no word of AWS's. */
const SDKS_OWN = /^(Unknown|NotFound$)/;

/** What an SDK's error means. The error itself is dropped: it can hold a reply, and a reply can hold a secret. */
export function awsFailure(error: unknown, action: string, signal: AbortSignal, refusal?: AwsRefusal): unknown {
  if (error instanceof AdapterError) return error;
  if (signal.aborted) return abortReason(signal, action);
  const { name = "", $fault, $metadata, $response } = error as SdkError;
  const status = $metadata?.httpStatusCode;
  const said = $fault !== undefined && !SDKS_OWN.test(name);
  const word = said || Object.hasOwn(CODES, name) ? name : "";
  const known = refusal?.(word, status);
  const code = known?.code ?? (CODES as Readonly<Record<string, AdapterCode>>)[word] ?? codeOf(status, said);
  const retryAfterMs = secondsIn($response?.headers?.["retry-after"]);
  return new AdapterError(code, `${action}: ${word === "" ? `status ${status ?? "unknown"}` : word}`, {
    ...(known?.cure !== undefined && { cure: known.cure }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });
}

/** The SDK throws the reason of an abort as it is; a deadline of ours is a `timeout`, as with every other call. */
function abortReason(signal: AbortSignal, action: string): unknown {
  const reason: unknown = signal.reason;
  if (!(reason instanceof DOMException) || reason.name !== "TimeoutError") return reason;
  return new AdapterError("timeout", `${action}: no answer came in time`);
}

function codeOf(status: number | undefined, said: boolean): AdapterCode {
  if (status === 401) return "unauthorized";
  if (status === 403) return "forbidden";
  // What stands between here and AWS says that, too, and means a page: AWS itself has a word for it.
  if (status === 404) return said ? "notFound" : "malformed";
  if (status === 429) return "rateLimited";
  if (status !== undefined && status >= 500) return "unavailable";
  return said && status !== undefined && status >= 400 ? "invalid" : "malformed";
}

const secondsIn = (wish = ""): number | undefined => (/^\d+$/.test(wish) ? Number(wish) * 1000 : undefined);
