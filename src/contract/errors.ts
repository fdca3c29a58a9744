import { Secret } from "./secret.ts";

/**
 * What the outside world can answer but "done". Callers decide by code, never by text.
 *
 * `retry`: waiting may cure it. `answered`: the other side understood the request and did nothing, so
 * a call that changes the world is not left open by it.
 */
// biome-ignore format: the columns are the point
export const ADAPTER_CODES = {
  unauthorized: { retry: false, answered: true,  hint: "the credential is not accepted" },
  forbidden:    { retry: false, answered: true,  hint: "the credential is accepted but may not do this: scope, quota or billing" },
  invalid:      { retry: false, answered: true,  hint: "the request was refused as wrong: look at the settings" },
  notFound:     { retry: false, answered: true,  hint: "it is not there: look at the names and ids in the settings" },
  undeletable:  { retry: false, answered: true,  hint: "the vendor refuses to delete this key" },
  foreign:      { retry: false, answered: true,  hint: "the store holds a value that rotated neither wrote nor adopted" },
  denied:       { retry: false, answered: true,  hint: "this process may not read or write there: look at owner and mode" },
  readOnly:     { retry: false, answered: true,  hint: "the file system is mounted read-only" },
  insecure:     { retry: false, answered: true,  hint: "plain http is allowed on loopback only; use https, or set network.allowHttp" },
  misconfigured:{ retry: false, answered: true,  hint: "the configuration does not fit what is there" },
  full:         { retry: true,  answered: true,  hint: "the disk is full; free some space" },
  rateLimited:  { retry: true,  answered: true,  hint: "the limit lifts by itself" },
  unreachable:  { retry: true,  answered: true,  hint: "no connection was made: is it running, and are proxy, CA and address right?" },
  unavailable:  { retry: true,  answered: false, hint: "an outage on the other side, as far as can be seen" },
  timeout:      { retry: true,  answered: false, hint: "no answer came in time" },
  malformed:    { retry: true,  answered: false, hint: "the answer is not what is documented: is there a proxy in between?" },
  inconclusive: { retry: true,  answered: true,  hint: "the answer proves nothing yet" },
} as const satisfies Record<string, { retry: boolean; answered: boolean; hint: string }>;

export type AdapterCode = keyof typeof ADAPTER_CODES;

/** A wish for longer is a mistake, such as a time in place of a number of seconds: by it a whole account would stand still for decades. */
const LONGEST_WISH_MS = 86_400_000;

/** Something outside refused, failed or did not answer. `message` says who, doing what, why; it holds no secret. */
export class AdapterError extends Error {
  override readonly name = "AdapterError";
  readonly code: AdapterCode;
  /** The other side's own wish, where it gave one: whole, and a day at most. */
  readonly retryAfterMs: number | undefined;
  /** What a person can do, where it is better known than by the code alone. */
  readonly cure: string | undefined;

  constructor(code: AdapterCode, message: string, options: { cause?: unknown; retryAfterMs?: number; cure?: string } = {}) {
    super(Secret.mask(message), options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryAfterMs = options.retryAfterMs && Math.ceil(Math.min(options.retryAfterMs, LONGEST_WISH_MS));
    this.cure = options.cure;
  }

  get hint(): string {
    return this.cure ?? ADAPTER_CODES[this.code].hint;
  }

  get retry(): boolean {
    return ADAPTER_CODES[this.code].retry;
  }

  get answered(): boolean {
    return ADAPTER_CODES[this.code].answered;
  }
}

export function hasCode(error: unknown, ...codes: AdapterCode[]): error is AdapterError {
  return error instanceof AdapterError && codes.includes(error.code);
}
