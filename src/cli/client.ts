import { type IncomingMessage, request as openRequest } from "node:http";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { type Operation, type Reply, type Request, ROUTES, type Route } from "../api.ts";
import { ControlError, ERRORS, type ErrorReply } from "../api-errors.ts";
import { Secret } from "../contract/secret.ts";
import { isAway, Unreachable } from "./unreachable.ts";

/** Calls the daemon's operations. Throws `ControlError` as the daemon said it, or `Unreachable`. */
export interface Client {
  call<Op extends Operation>(operation: Op, request: Request<Op>, signal?: AbortSignal): Promise<Reply<Op>>;
}

const OTHER_SOCKET = "look at --socket and ROTATED_SOCKET";
const ATTEMPTS = 6;
const PAUSE_MS = 250;

/**
 * A client for the daemon behind `socketPath`. What changes something carries the idempotency key: the same for all that this
 * client asks, a random one where none is given. A daemon that is not there is told at once, and so is one that does not answer
 * in time; a connection that breaks is tried again for some seconds where a repeat does no harm.
 */
export function openClient(socketPath: string, idempotencyKey?: string): Client {
  let ownKey: string | undefined;
  const key = () => {
    ownKey ??= idempotencyKey ?? crypto.randomUUID();
    return ownKey;
  };
  async function call<Op extends Operation>(operation: Op, request: Request<Op>, signal?: AbortSignal): Promise<Reply<Op>> {
    const route: Route = ROUTES[operation];
    // One who watches is told that the daemon is away, and repeats by itself.
    const repeatable = operation !== "watch" && (route.method === "GET" || route.starts === true);
    for (let attempt = 1; ; attempt++) {
      try {
        return (await exchange(socketPath, route, request, key, signal)) as Reply<Op>;
      } catch (error) {
        const how = error instanceof Unreachable ? error.how : undefined;
        const hopeless = how === "silent" || (how === "unsent" && attempt === 1);
        if (!isAway(error) || hopeless || !repeatable || attempt === ATTEMPTS) throw error;
        await sleep(PAUSE_MS * attempt, undefined, signal && { signal });
      }
    }
  }
  return { call };
}

async function exchange(socketPath: string, route: Route, fields: object, key: () => string, signal?: AbortSignal): Promise<unknown> {
  const { path, body } = writeRequest(route, fields);
  const headers = route.access === "act" ? { "idempotency-key": key() } : {};
  return send(socketPath, { method: route.method, path, headers, body, timeoutMs: route.timeoutMs + 5000, signal });
}

interface Sent {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** One request to a socket of the daemon and its reply. Throws `ControlError` as the daemon said it, or `Unreachable`. */
export async function send(socketPath: string, { method, path, headers, body, timeoutMs, signal }: Sent): Promise<unknown> {
  const response = Promise.withResolvers<IncomingMessage>();
  const all = { host: "rotated", "content-type": "application/json", ...headers };
  // Without an agent, which keeps connections for later and looks at the names of hosts.
  const createConnection = () => connect({ path: socketPath, timeout: timeoutMs });
  const outgoing = openRequest({ createConnection, path, method, headers: all, timeout: timeoutMs, ...(signal && { signal }) });
  let silent = false;
  outgoing.once("response", response.resolve);
  outgoing.on("error", response.reject);
  outgoing.once("upgrade", (_, socket) => {
    socket.destroy();
    response.reject(notOurs(socketPath));
  });
  outgoing.once("timeout", () => {
    silent = true;
    outgoing.destroy(new Error("no answer"));
  });
  outgoing.end(body);
  try {
    const incoming = await response.promise;
    const text = await readAll(incoming);
    return readReply(incoming.statusCode ?? 0, text, socketPath);
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    // Also in the middle of an answer, which then breaks off.
    if (silent) throw explain("ETIMEDOUT", socketPath);
    throw isSystemError(error) ? explain(error.code, socketPath) : error;
  }
}

function writeRequest(route: Route, fields: object): { path: string; body: string | undefined } {
  // The socket is where a secret that a person handed in leaves this process.
  const rest = new Map(Object.entries(fields).map(([name, value]) => [name, value instanceof Secret ? value.reveal() : value]));
  const path = route.path.replace(/:(\w+)/g, (_, name: string) => {
    const value = String(rest.get(name));
    rest.delete(name);
    return encodeURIComponent(value);
  });
  if (route.method === "POST") return { path, body: JSON.stringify(Object.fromEntries(rest)) };
  const query = new URLSearchParams([...rest].map(([name, value]): [string, string] => [name, String(value)])).toString();
  return { path: query === "" ? path : `${path}?${query}`, body: undefined };
}

async function readAll(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}

function readReply(status: number, text: string, socketPath: string): unknown {
  let reply: unknown;
  try {
    reply = JSON.parse(text);
  } catch {
    throw notOurs(socketPath);
  }
  // Every reply of the daemon has fields.
  if (typeof reply !== "object" || reply === null || Array.isArray(reply) || Object.keys(reply).length === 0) throw notOurs(socketPath);
  if (status === 200) return reply;
  const { error } = reply as Partial<ErrorReply>;
  if (!Object.hasOwn(ERRORS, error?.code ?? "") || error === undefined) throw notOurs(socketPath);
  throw new ControlError(error.code, error.message, error.hint);
}

function notOurs(socketPath: string): Unreachable {
  return new Unreachable(`what answers on ${socketPath} is no rotated daemon`, OTHER_SOCKET, "unsent");
}

function isSystemError(error: unknown): error is Error & { readonly code: string } {
  return error instanceof Error && !(error instanceof ControlError) && "code" in error && typeof error.code === "string";
}

function explain(code: string, socketPath: string): Unreachable {
  const start = "start it with systemctl start rotated; for another socket there are --socket and ROTATED_SOCKET";
  switch (code) {
    case "ENOENT":
    case "ECONNREFUSED":
    case "ENOTSOCK":
      return new Unreachable(`no daemon answers on ${socketPath}`, start, "unsent");
    case "EACCES":
    case "EPERM":
      return new Unreachable(
        `no permission to use ${socketPath}`,
        "only the group of the socket can connect; what its members may do, control.act and control.read say: ask an operator to let you in",
        "unsent",
      );
    case "ETIMEDOUT":
      return new Unreachable(`the daemon on ${socketPath} does not answer`, "look at its log: journalctl -u rotated", "silent");
    case "ECONNRESET":
    case "EPIPE":
      return new Unreachable(
        `the daemon on ${socketPath} broke off before it answered`,
        "it may have done it or not: look with rotatectl status",
        "broken",
      );
    default:
      if (code.startsWith("HPE_")) return notOurs(socketPath);
      return new Unreachable(`cannot connect to ${socketPath}: ${code}`, OTHER_SOCKET, "unsent");
  }
}
