import { z } from "zod";
import { AdapterError } from "../../src/contract/errors.ts";
import { parseJson } from "../../src/contract/json.ts";
import type { Access } from "./access.ts";

/** What the gateway sends first; the answer to it is signed. */
const challenge = z.object({ nonce: z.string(), ts: z.number() });
export type Challenge = z.output<typeof challenge>;

/** Why the gateway said no. `message` is its own wording: to decide by, never to show, because it may quote a vendor. */
const refusal = z.object({
  code: z.string().catch("UNKNOWN"),
  message: z.string().catch(""),
  details: z.object({ code: z.string().optional(), requestId: z.string().optional(), limit: z.string().optional() }).catch({}),
  retryable: z.boolean().catch(false),
  retryAfterMs: z.number().optional().catch(undefined),
});
export type Refusal = z.output<typeof refusal>;

export type Answer = { readonly ok: true; readonly payload: unknown } | { readonly ok: false; readonly refusal: Refusal };

const frame = z.union([
  z.object({ type: z.literal("res"), id: z.string(), ok: z.literal(true), payload: z.unknown() }),
  z.object({ type: z.literal("res"), id: z.string(), ok: z.literal(false), error: refusal }),
  z.object({ type: z.literal("event"), event: z.literal("connect.challenge"), payload: challenge }),
  z.object({ type: z.string() }),
]);

export interface Limits {
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
  /** Some methods answer more than once under one id: is this payload the last? */
  readonly last?: (payload: unknown) => boolean;
}

/** One WebSocket connection: requests out, answers in. Knows frames, not methods. */
export interface Channel {
  readonly challenge: Challenge;
  /** Throws `unavailable` when the connection breaks, `timeout` when no answer comes. */
  request(method: string, params: object, limits: Limits): Promise<Answer>;
  close(): void;
}

interface Waiting {
  readonly settle: PromiseWithResolvers<Answer>;
  readonly last: (payload: unknown) => boolean;
}

/** Opens a connection and waits for the gateway's challenge. */
export async function openChannel({ name, settings, world }: Access, signal: AbortSignal): Promise<Channel> {
  signal.throwIfAborted();
  const socket = await world.openWebSocket(settings.url);
  const greeting = Promise.withResolvers<Challenge>();
  const waiting = new Map<string, Waiting>();
  let opened = false;

  const broken = (reason: string) => {
    const error = opened
      ? new AdapterError("unavailable", `${name}: the gateway closed the connection${reason}`)
      : new AdapterError("unreachable", `${name}: connect to ${settings.url}: no connection was made`);
    greeting.reject(error);
    for (const { settle } of waiting.values()) settle.reject(error);
    waiting.clear();
  };
  greeting.promise.catch(() => {}); // also broken when nobody waits for it any more
  socket.onopen = () => {
    opened = true;
  };
  socket.onerror = () => broken("");
  socket.onclose = ({ code }) => broken(` (code ${code})`);
  socket.onmessage = ({ data }) => {
    const read = frame.safeParse(parseJson(String(data)));
    if (!read.success) return;
    if ("event" in read.data) greeting.resolve(read.data.payload);
    if (!("id" in read.data)) return;
    const asked = waiting.get(read.data.id);
    const answer: Answer = read.data.ok ? { ok: true, payload: read.data.payload } : { ok: false, refusal: read.data.error };
    if (asked === undefined || (answer.ok && !asked.last(answer.payload))) return;
    waiting.delete(read.data.id);
    asked.settle.resolve(answer);
  };

  const within = async <T>(work: Promise<T>, action: string, { signal, timeoutMs }: Limits): Promise<T> => {
    const aborted = Promise.withResolvers<never>();
    const late = world.clock.deadline(timeoutMs);
    const either = AbortSignal.any([signal, late]);
    const abort = () =>
      aborted.reject(
        signal.aborted ? signal.reason : new AdapterError("timeout", `${name}: ${action}: no answer within ${timeoutMs / 1000} s`),
      );
    if (either.aborted) abort();
    either.addEventListener("abort", abort, { once: true });
    try {
      return await Promise.race([work, aborted.promise]);
    } finally {
      either.removeEventListener("abort", abort);
    }
  };

  try {
    return {
      challenge: await within(greeting.promise, `connect to ${settings.url}`, { signal, timeoutMs: settings.callTimeout }),
      async request(method, params, limits) {
        const id = Buffer.from(world.random(12)).toString("hex");
        const settle = Promise.withResolvers<Answer>();
        settle.promise.catch(() => {});
        if (socket.readyState !== socket.OPEN)
          throw new AdapterError("unavailable", `${name}: ${method}: the gateway closed the connection`);
        waiting.set(id, { settle, last: limits.last ?? (() => true) });
        const from = world.clock.monotonic();
        const tell = (code?: string) =>
          world.debug({ consumer: name, method, code, durationMs: Math.round(world.clock.monotonic() - from) }, "gateway call");
        socket.send(JSON.stringify({ type: "req", id, method, params }));
        try {
          const answer = await within(settle.promise, method, limits);
          tell(answer.ok ? undefined : (/^[A-Z_]{1,40}$/.exec(answer.refusal.code)?.[0] ?? "refused"));
          return answer;
        } catch (error) {
          tell(error instanceof AdapterError ? error.code : "aborted");
          throw error;
        } finally {
          waiting.delete(id);
        }
      },
      close: () => socket.close(),
    };
  } catch (error) {
    socket.close();
    throw error;
  }
}
