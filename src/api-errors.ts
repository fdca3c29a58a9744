/** Why a request on a socket of ours was not done: the codes, and their HTTP status. */
// biome-ignore format: the columns are the point
export const ERRORS = {
  invalid:           { status: 400 },
  notAllowed:        { status: 403 },
  unknownRoute:      { status: 404 },
  unknownCredential: { status: 404 },
  unknownConsumer:   { status: 404 },
  unknownRotation:   { status: 404 },
  /** What is asked does not go together with how things stand. */
  conflict:          { status: 409 },
  tooLarge:          { status: 413 },
  tooMany:           { status: 429 },
  internal:          { status: 500 },
  /** A vendor, store or consumer refused or did not answer. */
  outside:           { status: 502 },
  /** The daemon starts or stops: ask again. */
  unavailable:       { status: 503 },
  timeout:           { status: 504 },
} as const satisfies Record<string, { status: number }>;

export type ErrorCode = keyof typeof ERRORS;

export interface ErrorBody {
  readonly code: ErrorCode;
  /** Who, doing what, why: lower case, no full stop, no secret. */
  readonly message: string;
  readonly hint: string | null;
}

/** The body of every answer that is not 2xx. */
export interface ErrorReply {
  readonly error: ErrorBody;
}

/** A request that cannot be done. Callers decide by code, never by text. */
export class ControlError extends Error {
  override readonly name = "ControlError";
  readonly code: ErrorCode;
  readonly hint: string | null;

  constructor(code: ErrorCode, message: string, hint: string | null = null, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.hint = hint;
  }
}
