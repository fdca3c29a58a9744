import type { z } from "zod";
import type { AdapterCode } from "./errors.ts";
import type { Secret } from "./secret.ts";

/** One request. `headers` may hold secrets: they are revealed only on the wire, and never logged. */
export interface HttpRequest<Reply> {
  /** Who asks what, for messages: `openai: create key`. */
  readonly action: string;
  readonly method: "GET" | "POST" | "PATCH" | "PUT" | "DELETE";
  readonly headers?: Readonly<Record<string, string | Secret>>;
  /** `Authorization: Bearer`. */
  readonly bearer?: Secret;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** What a 2xx answer must look like; `z.undefined()` where it has no content. */
  readonly reply: z.ZodType<Reply>;
  readonly signal: AbortSignal;
  /**
   * What an error answer means, where the vendor is more exact than its status: gets the status and the parsed JSON
   * body (`undefined` when there is none). `undefined`: decide by status.
   */
  readonly refusal?: (status: number, body: unknown) => { code: AdapterCode; detail?: string; cure?: string } | undefined;
}

/**
 * Makes one request and checks its reply; never retries, never keeps a connection for the next one. Throws `AdapterError`:
 * `unreachable` when no connection was made, `timeout` on the client's own time-out, `malformed` for a redirect and for a
 * 2xx reply that is no JSON or of another shape, otherwise what `refusal` says, or by status: 401 `unauthorized`, 403 `forbidden`,
 * 404 `notFound`, 408 `timeout`, 429 `rateLimited` (with `Retry-After`), 5xx `unavailable`, any other 4xx `invalid`, or `malformed`
 * where it is no JSON. Nothing of a reply enters a message: it may hold a secret.
 */
export type Http = <Reply>(url: string, request: HttpRequest<Reply>) => Promise<Reply>;

/** A bare exchange, for a library that brings its own words: node-vault, an SDK, a sign-in client. */
export interface ExchangeRequest {
  /** Who asks what, for messages. */
  readonly action: string;
  readonly url: string;
  readonly method: string;
  /** On the wire as they are; they may hold secrets and are never logged. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  readonly signal: AbortSignal;
}

export interface ExchangeReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/**
 * Makes one exchange by the same proxy, CA, plain-text and size rules as {@link Http}, on a connection of its own, and never retries.
 * Any status is an answer. Throws `AdapterError` `unreachable`, `unavailable`, `timeout`, `insecure` or `malformed`, or the reason of an abort.
 */
export type Exchange = (request: ExchangeRequest) => Promise<ExchangeReply>;
