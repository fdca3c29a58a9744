import type { Dispatcher } from "undici";
import { type AdapterCode, AdapterError } from "../contract/errors.ts";
import type { Exchange, ExchangeReply, ExchangeRequest, Http, HttpRequest } from "../contract/http.ts";
import { parseJson } from "../contract/json.ts";
import { Secret } from "../contract/secret.ts";
import type { DebugLog } from "../contract/world.ts";
import { staysHere } from "./hosts.ts";
import { abortReason, requestFailure } from "./http-failure.ts";

/** A page of a hundred keys can name hundreds of models for each. Several such answers at once must fit into the memory of the unit. */
const MAX_REPLY_BYTES = 4 << 20;

/** The way to an address: a dispatcher that keeps no connection, and whether a proxy stands between. */
export interface Route {
  readonly dispatcher: Dispatcher;
  readonly viaProxy: boolean;
}

interface Options {
  readonly route: (url: URL) => Route;
  readonly allowHttp: boolean;
  readonly log?: DebugLog;
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly empty: boolean;
  /** `undefined` when it is no JSON. */
  readonly body: unknown;
}

/** Makes the one client for all outbound requests; what it promises is said at `Http`. Redirects are not followed. */
export function makeHttp(exchange: Exchange): Http {
  return async (url, request) => {
    const { action, method, body, signal } = request;
    const text = body === undefined ? {} : { body: JSON.stringify(body) };
    const reply = await exchange({ action, url, method, headers: wireHeaders(request), ...text, signal });
    // A decoder, since some write a byte order mark before their JSON.
    return check({ ...reply, empty: reply.body.length === 0, body: parseJson(new TextDecoder().decode(reply.body)) }, request);
  };
}

/** Makes what {@link makeHttp} and foreign clients send their requests through; what it promises is said at `Exchange`. */
export function makeExchange({ route, allowHttp, log }: Options): Exchange {
  return async (request) => {
    const { action, signal } = request;
    const url = new URL(request.url);
    if (url.protocol === "http:" && !allowHttp && !staysHere(url)) {
      throw new AdapterError("insecure", `${action}: plain http to ${url.host}`);
    }
    if (signal.aborted) throw abortReason(signal, action);
    const { dispatcher, viaProxy } = route(url);
    const startedAt = performance.now();
    let status: number | undefined;
    try {
      const reply = await exchangeOnce(url, request, dispatcher);
      status = reply.status;
      return reply;
    } catch (error) {
      throw requestFailure(error, action, { signal, viaProxy });
    } finally {
      const durationMs = Math.round(performance.now() - startedAt);
      log?.({ action, method: request.method, url: withoutValues(url), status, durationMs }, "request");
    }
  };
}

async function exchangeOnce(url: URL, request: ExchangeRequest, dispatcher: Dispatcher): Promise<ExchangeReply> {
  const { method, headers, body, signal } = request;
  const { origin, pathname, search } = url;
  const address = { origin, path: `${pathname}${search}`, method: method as Dispatcher.HttpMethod };
  const response = await dispatcher.request({ ...address, headers, body: body ?? null, signal });
  return { status: response.statusCode, headers: single(response.headers), body: await readLimited(response.body, request.action) };
}

function single(headers: Readonly<Record<string, string | string[] | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(", ") : (value ?? "")]),
  );
}

function check<Reply>({ status, headers, empty, body }: Answer, { action, reply, refusal }: HttpRequest<Reply>): Reply {
  const fail = (code: AdapterCode, why: string, more: { cure?: string; retryAfterMs?: number } = {}) =>
    new AdapterError(code, `${action}: ${why}`, more);

  if (status >= 300 && status < 400) {
    throw fail("malformed", `status ${status}, and redirects are not followed`, { cure: "set the address that it redirects to" });
  }
  if (status >= 200 && status < 300) {
    const parsed = reply.safeParse(body);
    // A page of HTML is no empty answer, also where an empty one is right.
    if (parsed.success && (empty || body !== undefined)) return parsed.data;
    throw fail(
      "malformed",
      body === undefined ? `status ${status}, but the answer is no JSON` : "the answer has another shape than documented",
    );
  }
  const known = refusal?.(status, body);
  const code = known?.code ?? codeOf(status, body);
  const retryAfterMs = retryAfter(headers);
  throw fail(code, `status ${status}${known?.detail === undefined ? "" : `, ${known.detail}`}`, {
    ...(known?.cure !== undefined && { cure: known.cure }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });
}

const CODE_OF_STATUS: Readonly<Record<number, AdapterCode>> = {
  401: "unauthorized",
  403: "forbidden",
  404: "notFound",
  408: "timeout",
  429: "rateLimited",
};

function codeOf(status: number, body: unknown): AdapterCode {
  const known = CODE_OF_STATUS[status];
  if (known !== undefined) return known;
  if (status >= 500) return "unavailable";
  return body === undefined ? "malformed" : "invalid";
}

function wireHeaders({ headers, bearer, body }: HttpRequest<unknown>): Record<string, string> {
  const wire: Record<string, string> = { accept: "application/json", "user-agent": "rotated" };
  if (body !== undefined) wire["content-type"] = "application/json";
  if (bearer !== undefined) wire["authorization"] = `Bearer ${bearer.reveal()}`;
  for (const [name, value] of Object.entries(headers ?? {})) wire[name] = value instanceof Secret ? value.reveal() : value;
  return wire;
}

async function readLimited(body: AsyncIterable<Uint8Array>, action: string): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of body) {
    size += part.length;
    if (size > MAX_REPLY_BYTES) throw new AdapterError("malformed", `${action}: the answer is larger than ${MAX_REPLY_BYTES} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/**
 * `Retry-After` is in seconds, or a date: that one is read against the answer's own `Date`, not against our clock. OpenAI's and
 * Anthropic's own clients ask for `Retry-After-Ms` first, which is more exact.
 */
function retryAfter(headers: Answer["headers"]): number | undefined {
  const exact = headers["retry-after-ms"] ?? "";
  if (/^\d+(\.\d+)?$/.test(exact)) return Math.ceil(Number(exact));
  const wish = headers["retry-after"] ?? "";
  if (/^\d+(\.\d+)?$/.test(wish)) return Math.ceil(Number(wish) * 1000);
  const waitMs = Date.parse(wish) - Date.parse(headers["date"] ?? "");
  return Number.isNaN(waitMs) ? undefined : Math.max(0, waitMs);
}

function withoutValues(url: URL): string {
  const names = [...url.searchParams.keys()];
  return Secret.mask(`${url.origin}${url.pathname}${names.length === 0 ? "" : `?${names.join("&")}`}`);
}
