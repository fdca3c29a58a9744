import { once } from "node:events";
import { lstat, unlink } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { connect, type Socket } from "node:net";
import { ControlError, ERRORS, type ErrorBody } from "./api-errors.ts";
import { AdapterError } from "./contract/errors.ts";
import type { Logger } from "./log.ts";
import { type Peer, peerOf } from "./peer.ts";

export interface UnixServerOptions {
  /** What it is called in errors: `control socket`. */
  readonly name: string;
  /** Where the socket is made; its directory must exist. */
  readonly path: string;
  /** Who may connect, as the mode of a file. */
  readonly mode: 0o660 | 0o666;
  readonly maxConnections: number;
  /** Of one account; left out where all are trusted alike. */
  readonly maxPerUid?: number;
  readonly log: Logger;
  /** Answers one request of a caller, who is unknown where the kernel does not tell. `closing` aborts when the server ends. */
  answer(request: IncomingMessage, response: ServerResponse, peer: Peer | undefined, closing: AbortSignal): Promise<void>;
}

export interface UnixServer {
  /** Takes no more requests, ends those that wait for news, gives the others `graceMs`, and removes the socket. */
  close(graceMs?: number): Promise<void>;
}

/**
 * HTTP on a Unix socket. Each caller is known by the kernel's word for it, not by its own.
 * Throws when another process answers on the socket; one that nobody answers on is replaced.
 */
export async function startUnixServer(options: UnixServerOptions): Promise<UnixServer> {
  const { name, path, mode, maxPerUid = Number.POSITIVE_INFINITY, log } = options;
  await removeStale(name, path);
  const peers = new WeakMap<Socket, Peer>();
  const closing = new AbortController();
  const server = createServer(
    { maxHeaderSize: 8192, headersTimeout: 5000, requestTimeout: 10_000, keepAliveTimeout: 5000, connectionsCheckingInterval: 2500 },
    (request, response) => options.answer(request, response, peers.get(request.socket), closing.signal),
  );
  server.maxConnections = options.maxConnections;
  const connections = new Map<number, number>();
  const count = (uid: number, more: 1 | -1): number => {
    const now = (connections.get(uid) ?? 0) + more;
    if (now === 0) connections.delete(uid);
    else connections.set(uid, now);
    return now;
  };
  server.on("connection", (socket) => {
    try {
      const peer = peerOf(socket);
      socket.once("close", () => count(peer.uid, -1));
      if (count(peer.uid, 1) > maxPerUid) socket.destroy();
      else peers.set(socket, peer);
    } catch (err) {
      log.warn({ err, socket: name }, "caller without an identity");
      socket.destroy();
    }
  });
  await listen(server, name, path, mode);
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
async function listen(server: Server, name: string, path: string, mode: number): Promise<void> {
  const listening = Promise.withResolvers<void>();
  server.once("listening", listening.resolve);
  server.once("error", listening.reject);
  const mask = process.umask(~mode & 0o777);
  server.listen(path);
  process.umask(mask);
  await listening.promise.catch((cause: Error) => {
    throw new Error(`${name}: listen on ${path}: ${cause.message}`, { cause });
  });
}

async function removeStale(name: string, path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return;
  if (!found.isSocket()) throw new Error(`${name}: ${path} is there and is no socket`);
  const socket = connect(path);
  const answered = await once(socket, "connect").then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code !== "ECONNREFUSED",
  );
  socket.destroy();
  if (answered) throw new Error(`${name}: another process answers on ${path}`);
  await unlink(path);
}

/** What a caller is told of an error. */
export function describeError(error: unknown): ErrorBody {
  if (error instanceof ControlError) return { code: error.code, message: error.message, hint: error.hint };
  if (error instanceof AdapterError) return { code: "outside", message: error.message, hint: error.hint };
  return { code: "internal", message: "a fault in the daemon", hint: "the daemon's log says which: journalctl -u rotated" };
}

export function reply(response: ServerResponse, body: unknown): void {
  send(response, 200, body);
}

export function replyError(response: ServerResponse, body: ErrorBody): void {
  send(response, ERRORS[body.code].status, { error: body });
}

function send(response: ServerResponse, status: number, body: unknown): void {
  if (response.destroyed) return;
  const text = `${JSON.stringify(body)}\n`;
  const hangUp = status === 413 || status === 503 ? { connection: "close" } : {};
  response.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(text), ...hangUp }).end(text);
}
