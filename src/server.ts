import type { IncomingMessage, ServerResponse } from "node:http";
import type { Access, Ask, Control, Operation, Route } from "./api.ts";
import { ControlError } from "./api-errors.ts";
import type { Config } from "./config/config.ts";
import type { Logger } from "./log.ts";
import { actorOf, type Peer, rightsOf, userName } from "./peer.ts";
import { findRoute, readRequest } from "./routes.ts";
import { describeError, reply, replyError, startUnixServer, type UnixServer } from "./unix-server.ts";

export interface ServerOptions {
  /** Where the socket is made; its directory must exist. */
  readonly path: string;
  readonly control: Control;
  /** Who may call: asked at each request, because a reload may change it. */
  readonly callers: () => Config["control"];
  readonly log: Logger;
}

export type ControlServer = UnixServer;

/**
 * Serves {@link Control} on a Unix socket of mode 0660. Each caller is known by the kernel's word for it, not by its own.
 * Throws when another process answers on the socket; one that nobody answers on is replaced.
 */
export function startServer(options: ServerOptions): Promise<ControlServer> {
  return startUnixServer({
    name: "control socket",
    path: options.path,
    mode: 0o660,
    maxConnections: 256,
    log: options.log,
    answer: (request, response, peer, closing) => answer(request, response, peer, closing, options),
  });
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  peer: Peer | undefined,
  closing: AbortSignal,
  options: ServerOptions,
): Promise<void> {
  const since = performance.now();
  const asked = { method: request.method, path: request.url, actor: peer && actorOf(peer) };
  try {
    if (peer === undefined) throw new ControlError("notAllowed", "the caller is not known");
    const { operation, route, parameters } = findRoute(request);
    mustBeAllowed(peer, route.access, options.callers());
    const key = idempotencyKey(request, route);
    const input = await readRequest(operation, request, parameters);
    if (closing.aborted) throw closing.reason;
    if (response.closed) return;
    const ask: Ask = { actor: actorOf(peer), ...(key !== undefined && { idempotencyKey: key }), signal: until(route, response, closing) };
    reply(response, await within(ask.signal, run(options.control, operation, input, ask)));
  } catch (error) {
    const body = describeError(error);
    if (body.code === "internal") options.log.error({ ...asked, err: error }, "request failed");
    replyError(response, body);
  }
  options.log.debug({ ...asked, status: response.statusCode, durationMs: Math.round(performance.now() - since) }, "request");
}

/** The schema of the operation has just checked `asked`; the compiler cannot follow a pair through a table. */
function run(control: Control, operation: Operation, asked: unknown, ask: Ask): Promise<unknown> {
  const method = control[operation] as (request: unknown, ask: Ask) => Promise<unknown>;
  return method.call(control, asked, ask);
}

function mustBeAllowed(peer: Peer, access: Access, callers: Config["control"]): void {
  if (rightsOf(peer, callers).has(access)) return;
  const entry = `{ user: ${userName(peer) ?? peer.uid} }`;
  throw new ControlError(
    "notAllowed",
    `${actorOf(peer)} may not ${access === "act" ? "change anything" : "read"} here`,
    `an operator can add ${entry}, or a group of yours, under control.${access} in the configuration`,
  );
}

function idempotencyKey(request: IncomingMessage, route: Route): string | undefined {
  const key = request.headers["idempotency-key"];
  if (key === undefined && route.starts === true) {
    throw new ControlError("invalid", "no Idempotency-Key", "send a header Idempotency-Key, the same at each repeat of this request");
  }
  if (key !== undefined && (typeof key !== "string" || !/^[\x21-\x7e]{1,128}$/.test(key))) {
    throw new ControlError("invalid", "the Idempotency-Key is not usable", "1 to 128 printable characters without spaces");
  }
  return key;
}

/** What was begun for a caller that hangs up is finished; what only reads is dropped. */
function until(route: Route, response: ServerResponse, closing: AbortSignal): AbortSignal {
  const ends = new AbortController();
  const late = new ControlError("timeout", `no answer within ${route.timeoutMs / 1000} s`, "look at the daemon's log, then ask again");
  const timer = setTimeout(() => ends.abort(late), route.timeoutMs).unref();
  response.once("close", () => {
    clearTimeout(timer);
    if (route.access === "read" && !response.writableFinished) ends.abort(new ControlError("unavailable", "the caller hung up"));
  });
  return AbortSignal.any([ends.signal, closing]);
}

/** The answer, or the reason of the abort: also when the work does not heed its signal. */
async function within<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  signal.addEventListener("abort", () => aborted.reject(signal.reason), { once: true });
  try {
    return await Promise.race([work, aborted.promise]);
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  }
}
