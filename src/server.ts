import { once } from "node:events";
import { lstat, unlink } from "node:fs/promises";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { connect, type Socket } from "node:net";
import { type Access, type Ask, type Control, ControlError, ERRORS, type ErrorBody, type Operation, type Route } from "./api.ts";
import type { Config } from "./config/config.ts";
import { AdapterError } from "./contract/errors.ts";
import type { Logger } from "./log.ts";
import { actorOf, type Peer, peerOf, rightsOf, userName } from "./peer.ts";
import { findRoute, readRequest } from "./routes.ts";

// `import … from "node:http"` reads its lazy getters, which load undici: 13 MiB and 30 ms (nodejs/node#59686).
const http = process.getBuiltinModule("node:http");

export interface ServerOptions {
  /** Where the socket is made; its directory must exist. */
  readonly path: string;
  readonly control: Control;
  /** Who may call: asked at each request, because a reload may change it. */
  readonly callers: () => Config["control"];
  readonly log: Logger;
}

export interface ControlServer {
  /** Takes no more requests, ends those that wait for news, gives the others `graceMs`, and removes the socket. */
  close(graceMs?: number): Promise<void>;
}

/**
 * Serves {@link Control} on a Unix socket of mode 0660. Each caller is known by the kernel's word for it, not by its own.
 * Throws when another process answers on the socket; one that nobody answers on is replaced.
 */
export async function startServer(options: ServerOptions): Promise<ControlServer> {
  await removeStale(options.path);
  const peers = new WeakMap<Socket, Peer>();
  const closing = new AbortController();
  const server = http.createServer(
    { maxHeaderSize: 8192, headersTimeout: 5000, requestTimeout: 10_000, keepAliveTimeout: 5000, connectionsCheckingInterval: 2500 },
    (request, response) => answer(request, response, peers.get(request.socket), closing.signal, options),
  );
  server.maxConnections = 256;
  server.on("connection", (socket) => {
    try {
      peers.set(socket, peerOf(socket));
    } catch (err) {
      options.log.warn({ err }, "caller without an identity");
      socket.destroy();
    }
  });
  await listen(server, options.path);
  return {
    close: async (graceMs = 2000) => {
      const closed = new Promise((resolve) => server.close(resolve));
      closing.abort(new ControlError("unavailable", "the daemon is stopping", "ask again in a moment"));
      server.closeIdleConnections();
      const timer = setTimeout(() => server.closeAllConnections(), graceMs);
      await closed;
      clearTimeout(timer);
    },
  };
}

/** `bind` happens inside `listen()`: with this mask the socket never has another mode. */
async function listen(server: Server, path: string): Promise<void> {
  const listening = Promise.withResolvers<void>();
  server.once("listening", listening.resolve);
  server.once("error", listening.reject);
  const mask = process.umask(0o117);
  server.listen(path);
  process.umask(mask);
  await listening.promise.catch((cause: Error) => {
    throw new Error(`control socket: listen on ${path}: ${cause.message}`, { cause });
  });
}

async function removeStale(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return;
  if (!found.isSocket()) throw new Error(`control socket: ${path} is there and is no socket`);
  const socket = connect(path);
  const answered = await once(socket, "connect").then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code !== "ECONNREFUSED",
  );
  socket.destroy();
  if (answered) throw new Error(`control socket: another process answers on ${path}`);
  await unlink(path);
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  peer: Peer | undefined,
  closing: AbortSignal,
  options: ServerOptions,
): Promise<void> {
  const since = performance.now();
  const log = options.log.child({ method: request.method, path: request.url, actor: peer && actorOf(peer) });
  try {
    if (peer === undefined) throw new ControlError("notAllowed", "the caller is not known");
    const { operation, route, parameters } = findRoute(request);
    mustBeAllowed(peer, route.access, options.callers());
    const key = idempotencyKey(request, route);
    const asked = await readRequest(operation, request, parameters);
    if (closing.aborted) throw closing.reason;
    if (response.closed) return;
    const ask: Ask = { actor: actorOf(peer), ...(key !== undefined && { idempotencyKey: key }), signal: until(route, response, closing) };
    reply(response, 200, await within(ask.signal, run(options.control, operation, asked, ask)));
  } catch (error) {
    const body = describe(error);
    if (body.code === "internal") log.error({ err: error }, "request failed");
    reply(response, ERRORS[body.code].status, { error: body });
  }
  log.debug({ status: response.statusCode, durationMs: Math.round(performance.now() - since) }, "request");
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

function describe(error: unknown): ErrorBody {
  if (error instanceof ControlError) return { code: error.code, message: error.message, hint: error.hint };
  if (error instanceof AdapterError) return { code: "outside", message: error.message, hint: error.hint };
  return { code: "internal", message: "a fault in the daemon", hint: "the daemon's log says which: journalctl -u rotated" };
}

function reply(response: ServerResponse, status: number, body: unknown): void {
  if (response.destroyed) return;
  const text = `${JSON.stringify(body)}\n`;
  const hangUp = status === 413 || status === 503 ? { connection: "close" } : {};
  response.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(text), ...hangUp }).end(text);
}
