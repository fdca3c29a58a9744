import { type AdapterCode, AdapterError } from "../../../src/contract/errors.ts";

const CODES = {
  ResourceNotFoundException: "notFound",
  InvalidRequestException: "misconfigured",
  InvalidParameterException: "invalid",
  ValidationException: "invalid",
  ResourceExistsException: "invalid",
  LimitExceededException: "forbidden",
  AccessDeniedException: "forbidden",
  DecryptionFailure: "forbidden",
  EncryptionFailure: "forbidden",
  ThrottlingException: "rateLimited",
  TooManyRequestsException: "rateLimited",
  InternalServiceError: "unavailable",
  UnrecognizedClientException: "unauthorized",
  InvalidSignatureException: "unauthorized",
  ExpiredTokenException: "unauthorized",
  CredentialsProviderError: "unauthorized",
} as const satisfies Record<string, AdapterCode>;

/** What an SDK's error means. The error itself is dropped: it can hold a reply, and a reply can hold a secret. */
export function awsFailure(error: unknown, action: string, signal: AbortSignal): unknown {
  if (error instanceof AdapterError) return error;
  if (signal.aborted) return signal.reason;
  const { name = "", $metadata } = error as { name?: string; $metadata?: { httpStatusCode?: number } };
  const status = $metadata?.httpStatusCode;
  const known = (CODES as Readonly<Record<string, AdapterCode>>)[name];
  const code = known ?? codeOf(status);
  const why = known === undefined ? `status ${status ?? "unknown"}` : name;
  return new AdapterError(code, `aws secrets manager: ${action}: ${why}`);
}

function codeOf(status: number | undefined): AdapterCode {
  if (status === 401) return "unauthorized";
  if (status === 403) return "forbidden";
  if (status === 404) return "notFound";
  if (status === 429) return "rateLimited";
  if (status !== undefined && status >= 500) return "unavailable";
  return "malformed";
}
