import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { finished } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { type Fault, makeFaults } from "./faults.ts";
import { adminApi } from "./openai/admin.ts";
import type { FakeAdminKey } from "./openai/admin-keys.ts";
import { controlApi } from "./openai/control.ts";
import { type Answer, inferenceApi, type Pace } from "./openai/inference.ts";
import { Refusal } from "./openai/replies.ts";
import { type FakeAccount, type FakeKey, makeVendor, type Vendor } from "./openai/vendor.ts";

/** One request as the fake saw it; never a secret. */
export interface Seen {
  /** Counts from 1. */
  readonly n: number;
  readonly method: string;
  readonly path: string;
  /** The key that signed it, also a dead one; `null` for an unknown secret. */
  readonly keyId: string | null;
  readonly at: number;
  /** When the answer was out; `null` while it is not. */
  endedAt: number | null;
  /** `null` when no answer was sent. */
  status: number | null;
}

/** A request on its way: before the work, after the work and before the answer, after the answer. */
export type Phase = "before" | "handled" | "replied";

export interface FakeOpenAi {
  /** Base URL of both APIs, with `/v1`. */
  readonly url: string;
  readonly vendor: Vendor;
  readonly faults: ReturnType<typeof makeFaults>;
  readonly pace: Pace;
  readonly log: readonly Seen[];
  /** How many connections were ever opened to it. */
  connections: number;
  /** A seeded admin key, and one that may only read. */
  readonly admin: FakeAdminKey;
  readonly reader: FakeAdminKey;
  /** A seeded service account with one key. */
  readonly account: FakeAccount;
  readonly key: FakeKey;
  /** Called at each phase of each request, and awaited. */
  onRequest: ((seen: Seen, phase: Phase) => void | Promise<void>) | undefined;
  /** Forgets faults, lags, other rules and the log; keeps keys. */
  reset(): void;
  close(): Promise<void>;
}

const AT_ONCE: Readonly<Pace> = { firstMs: 0, chunkMs: 0, chunks: 1 };
/** No lag of new keys meets those that were there before. */
const DAY_MS = 86_400_000;
const MAX_BODY_BYTES = 4 << 20;

/** Starts OpenAI's admin and inference API on a loopback port, with state in memory. */
export async function startFakeOpenAi(options: { port?: number; project?: string } = {}): Promise<FakeOpenAi> {
  const vendor = makeVendor(options.project ?? "proj_fake");
  const account = vendor.addAccount("shared");
  const log: Seen[] = [];
  const server = createServer((request, response) => {
    serve(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(options.port ?? 0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;

  const fake: FakeOpenAi = {
    url: `http://127.0.0.1:${port}/v1`,
    vendor,
    faults: makeFaults(),
    pace: { ...AT_ONCE },
    log,
    connections: 0,
    admin: vendor.admins.add("seeded", { ageMs: DAY_MS }),
    reader: vendor.admins.add("reader", { scopes: "read", ageMs: DAY_MS }),
    account,
    key: vendor.addKey(account, "seeded"),
    onRequest: undefined,
    reset() {
      fake.faults.clear();
      vendor.reset();
      Object.assign(fake.pace, AT_ONCE);
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
    if (url.pathname.startsWith("/__fake/")) return send(response, controlApi(fake, method, url.pathname.slice("/__fake".length), text));

    const secret = /^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1];
    const signer = secret === undefined ? undefined : (vendor.admins.find(secret) ?? vendor.findBySecret(secret));
    const seen: Seen = {
      n: log.length + 1,
      method,
      path: url.pathname,
      keyId: signer?.id ?? null,
      at: Date.now(),
      endedAt: null,
      status: null,
    };
    log.push(seen);
    await fake.onRequest?.(seen, "before");
    const fault = fake.faults.take(method, url.pathname);
    if (fault?.do === "hang") return;
    if (fault?.do === "dropBefore") return void request.socket.destroy();
    if (fault?.do === "delay") await sleep(fault.ms);
    const answer = inPlaceOf(fault) ?? work(method, url, secret, request, text);
    await fake.onRequest?.(seen, "handled");
    if (fault?.do === "loseReply") return void request.socket.destroy();
    if (!url.pathname.startsWith("/v1/organization/")) await sleep(fake.pace.firstMs);
    seen.status = answer.status;
    await send(response, answer);
    seen.endedAt = Date.now();
    await fake.onRequest?.(seen, "replied");
  }

  function work(method: string, url: URL, secret: string | undefined, request: IncomingMessage, text: string): Answer {
    try {
      if (!url.pathname.startsWith("/v1/")) throw new Refusal(404, `Invalid URL (${method} ${url.pathname})`);
      if (secret === undefined) throw new Refusal(401, "You didn't provide an API key in an Authorization header using Bearer auth.");
      const path = url.pathname.slice("/v1".length);
      const admin = vendor.admins.use(secret);
      if (path.startsWith("/organization/")) {
        if (admin === undefined) throw notAnAdmin(vendor, secret);
        return adminApi(vendor, {
          method,
          path: path.slice("/organization".length),
          query: url.searchParams,
          body: parse(request, text),
          admin,
        });
      }
      if (admin !== undefined)
        throw new Refusal(403, "You have insufficient permissions for this operation. Missing scopes: model.request.");
      const key = use(vendor, secret);
      return inferenceApi(vendor, { method, path, query: url.searchParams, body: parse(request, text), key }, fake.pace);
    } catch (error) {
      if (error instanceof Refusal) return error.reply;
      throw error;
    }
  }
}

/** The key of an accepted secret, its use noted; else the vendor's refusal of a dead or unknown one. */
function use(vendor: Vendor, secret: string): FakeKey {
  const key = vendor.accepted(secret);
  if (key === undefined) {
    vendor.findBySecret(secret)?.refusals.push(Date.now());
    throw unknownKey(secret);
  }
  key.lastUsedAt = Date.now();
  key.uses.push(key.lastUsedAt);
  return key;
}

function notAnAdmin(vendor: Vendor, secret: string): Refusal {
  if (vendor.accepted(secret) === undefined) return unknownKey(secret);
  return new Refusal(403, "You have insufficient permissions for this operation. Missing scopes: api.management.read.");
}

function unknownKey(secret: string): Refusal {
  const shown = `${secret.slice(0, 8)}***${secret.slice(-4)}`;
  return new Refusal(401, `Incorrect API key provided: ${shown}.`, { code: "invalid_api_key" });
}

function parse(request: IncomingMessage, text: string): unknown {
  if (text === "") return undefined;
  if (!/^application\/json\b/.test(request.headers["content-type"] ?? "")) throw new Refusal(415, "Unsupported content type.");
  try {
    return JSON.parse(text);
  } catch {
    throw new Refusal(400, "We could not parse the JSON body of your request.");
  }
}

function inPlaceOf(fault: Fault | undefined): Answer | undefined {
  switch (fault?.do) {
    case "reply":
      return {
        status: fault.status,
        body: fault.body ?? { error: { message: "made to fail", type: "server_error" } },
        headers: fault.headers ?? {},
      };
    case "html":
      return { status: fault.status ?? 200, body: "<!doctype html><title>Welcome</title>", headers: { "content-type": "text/html" } };
    case "rateLimit": {
      const more = { type: "requests", code: "rate_limit_exceeded", ...(fault.retryAfter && { retryAfter: fault.retryAfter }) };
      return new Refusal(429, "Rate limit reached.", more).reply;
    }
    default:
      return undefined;
  }
}

/** Sends an answer whole, or until the client is gone. */
async function send(response: ServerResponse, answer: Answer): Promise<void> {
  if ("events" in answer) {
    response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache" });
    for await (const event of answer.events) {
      if (response.destroyed) return;
      response.write(`data: ${JSON.stringify(event)}\n\n`);
    }
    response.end("data: [DONE]\n\n");
  } else {
    response.writeHead(answer.status, { "content-type": "application/json", ...answer.headers });
    response.end(typeof answer.body === "string" ? answer.body : JSON.stringify(answer.body));
  }
  await finished(response).catch(() => undefined);
}

async function readBody(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > MAX_BODY_BYTES) throw new Error("request body is too large");
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}
