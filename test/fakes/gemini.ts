import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { type Fault, makeFaults } from "./faults.ts";
import { adminApi } from "./gemini/admin.ts";
import { inferenceApi } from "./gemini/inference.ts";
import { type Answer, Refusal } from "./gemini/replies.ts";
import { makeTokens } from "./gemini/tokens.ts";
import { makeVendor, type Vendor } from "./gemini/vendor.ts";

/** One request as the fake saw it; never a secret. Requests for tokens are not among them. */
interface Seen {
  readonly method: string;
  /** With the query, but for values of keys. */
  readonly path: string;
}

export interface FakeGemini {
  /** Address of both APIs; `/token` gives access tokens. */
  readonly url: string;
  readonly vendor: Vendor;
  readonly tokens: ReturnType<typeof makeTokens>;
  readonly faults: ReturnType<typeof makeFaults>;
  readonly log: readonly Seen[];
  /** How many connections were ever opened to it. */
  connections: number;
  /** JSON keys of an account that may do all, and of one that may only read. */
  readonly admin: string;
  readonly reader: string;
  /** Forgets faults, other rules and the log; keeps keys. */
  reset(): void;
  close(): Promise<void>;
}

const ADMIN = "/v2";
const INFERENCE = "/v1beta";

/** Starts Google's API Keys API, Gemini API and token endpoint on one loopback port, with state in memory. */
export async function startFakeGemini(project = "fake-project"): Promise<FakeGemini> {
  const vendor = makeVendor(project);
  const tokens = makeTokens(project);
  const faults = makeFaults();
  const log: Seen[] = [];
  const server = createServer((request, response) => {
    serve(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const fake: FakeGemini = {
    url: `http://127.0.0.1:${port}`,
    vendor,
    tokens,
    faults,
    log,
    connections: 0,
    admin: tokens.addAccount("admin"),
    reader: tokens.addAccount("reader", true),
    reset() {
      faults.clear();
      vendor.reset();
      log.length = 0;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  server.on("connection", () => {
    fake.connections += 1;
  });
  return fake;

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", "http://fake");
    const method = request.method ?? "GET";
    const text = await readBody(request);
    if (url.pathname === "/token") return send(response, tokens.answer(method, request.headers["content-type"] ?? "", text));
    log.push({ method, path: url.pathname + (url.searchParams.has("keyString") ? "?keyString" : url.search) });
    const fault = faults.take(method, url.pathname);
    if (fault?.do === "hang") return;
    if (fault?.do === "dropBefore") return void request.socket.destroy();
    if (fault?.do === "delay") await sleep(fault.ms);
    const answer = inPlaceOf(fault) ?? work(method, url, request, text);
    if (fault?.do === "loseReply") return void request.socket.destroy();
    send(response, answer);
  }

  function work(method: string, url: URL, request: IncomingMessage, text: string): Answer {
    const { pathname: path, searchParams: query } = url;
    try {
      const body = parse(request, text);
      if (path.startsWith(`${INFERENCE}/`)) {
        const header = request.headers["x-goog-api-key"];
        const secret = Array.isArray(header) ? header[0] : header;
        return inferenceApi(vendor, { method, path: path.slice(INFERENCE.length), query, body, secret });
      }
      if (!path.startsWith(`${ADMIN}/`)) throw new Refusal("NOT_FOUND", "The requested URL was not found on this server.");
      const account = tokens.find(/^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1] ?? "");
      if (account === undefined)
        throw new Refusal("UNAUTHENTICATED", "Request had invalid authentication credentials.", { reason: "ACCESS_TOKEN_EXPIRED" });
      return adminApi(vendor, { method, path: decodeURI(path.slice(ADMIN.length)), query, body, readOnly: account.readOnly });
    } catch (error) {
      if (error instanceof Refusal) return error.answer;
      throw error;
    }
  }
}

function parse(request: IncomingMessage, text: string): unknown {
  if (text === "") return undefined;
  if (!/^application\/json\b/.test(request.headers["content-type"] ?? ""))
    throw new Refusal("INVALID_ARGUMENT", "Invalid content type: a JSON body is expected.");
  try {
    return JSON.parse(text);
  } catch {
    throw new Refusal("INVALID_ARGUMENT", "Invalid JSON payload received.");
  }
}

function inPlaceOf(fault: Fault | undefined): Answer | undefined {
  switch (fault?.do) {
    case "reply": {
      const error = { code: fault.status, message: "made to fail", status: "UNKNOWN" };
      return { status: fault.status, body: fault.body ?? { error }, headers: fault.headers ?? {} };
    }
    case "html":
      return { status: fault.status ?? 200, body: "<!doctype html><title>Welcome</title>", headers: { "content-type": "text/html" } };
    case "rateLimit":
      return new Refusal("RESOURCE_EXHAUSTED", "Quota exceeded.", {
        reason: "RATE_LIMIT_EXCEEDED",
        ...(fault.retryAfter && { retryAfter: fault.retryAfter }),
      }).answer;
    default:
      return undefined;
  }
}

function send(response: ServerResponse, { status, body, headers }: Answer): void {
  response.writeHead(status, { "content-type": "application/json; charset=UTF-8", ...headers });
  response.end(typeof body === "string" ? body : JSON.stringify(body));
}

async function readBody(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request as AsyncIterable<Buffer>) parts.push(part);
  return Buffer.concat(parts).toString("utf8");
}
