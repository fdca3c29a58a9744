import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { adminApi } from "./anthropic/admin.ts";
import { inferenceApi } from "./anthropic/inference.ts";
import { type Answer, Refusal, type Version } from "./anthropic/replies.ts";
import { type FakeAdminKey, makeVendor, type Vendor } from "./anthropic/vendor.ts";
import { type Fault, makeFaults } from "./faults.ts";

/** One request as the fake saw it; never a secret. */
export interface Seen {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly body: unknown;
}

export interface FakeAnthropic {
  /** Address of both APIs, without `/v1`. */
  readonly url: string;
  readonly vendor: Vendor;
  readonly faults: ReturnType<typeof makeFaults>;
  readonly log: readonly Seen[];
  /** How many connections were ever opened to it. */
  connections: number;
  readonly admin: FakeAdminKey;
  /** Called before and after the work on each request, and awaited. */
  onRequest: ((seen: Seen, phase: "before" | "handled") => void | Promise<void>) | undefined;
  /** Forgets faults, lags, other rules and the log; keeps keys. */
  reset(): void;
  close(): Promise<void>;
}

const ADMIN = "/v1/organizations";

/** Starts Anthropic's Admin API and its inference API on one loopback port, with state in memory. */
export async function startFakeAnthropic(): Promise<FakeAnthropic> {
  const vendor = makeVendor();
  const log: Seen[] = [];
  const server = createServer((request, response) => {
    serve(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const fake: FakeAnthropic = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    vendor,
    faults: makeFaults(),
    log,
    connections: 0,
    admin: vendor.addAdmin(),
    onRequest: undefined,
    reset() {
      fake.faults.clear();
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
    const text = (await request.toArray()).join("");
    const seen = { method, path: url.pathname + url.search, body: text === "" ? undefined : safely(text) };
    log.push(seen);
    await fake.onRequest?.(seen, "before");
    const fault = fake.faults.take(method, url.pathname);
    if (fault?.do === "hang") return;
    if (fault?.do === "dropBefore") return void request.socket.destroy();
    if (fault?.do === "delay") await sleep(fault.ms);
    const answer = inPlaceOf(fault) ?? work(method, url, request, text);
    await fake.onRequest?.(seen, "handled");
    if (fault?.do === "loseReply") return void request.socket.destroy();
    response.writeHead(answer.status, { "content-type": "application/json", ...answer.headers });
    response.end(typeof answer.body === "string" ? answer.body : JSON.stringify(answer.body));
  }

  function work(method: string, { pathname, searchParams: query }: URL, request: IncomingMessage, text: string): Answer {
    try {
      const secret = secretOf(request);
      const body = parse(request, text);
      // What speaks OpenAI's language knows no version.
      const version = pathname === "/v1/chat/completions" ? undefined : versionOf(request);
      if (pathname.startsWith(`${ADMIN}/`)) {
        if (!vendor.isAdmin(secret)) throw new Refusal(401, "invalid x-api-key");
        return adminApi(vendor, { method, path: pathname.slice(ADMIN.length), query, body, version: version ?? "2023-06-01" });
      }
      if (!pathname.startsWith("/v1/")) throw new Refusal(404, "Not found");
      vendor.use(secret);
      return inferenceApi({ method, path: pathname.slice("/v1".length), query, body, version });
    } catch (error) {
      if (error instanceof Refusal) return error.answer;
      throw error;
    }
  }
}

/** Both headers exist: plain requests send the one, the vendor's client the other. Never both. */
function secretOf({ headers }: IncomingMessage): string {
  const bearer = /^Bearer (.+)$/.exec(headers.authorization ?? "")?.[1];
  const key = headers["x-api-key"];
  if (bearer !== undefined && key !== undefined) throw new Refusal(400, "only one of x-api-key and authorization may be given");
  const secret = bearer ?? (Array.isArray(key) ? key[0] : key);
  if (secret === undefined) throw new Refusal(401, "x-api-key header is required");
  return secret;
}

function versionOf({ headers }: IncomingMessage): Version {
  const version = headers["anthropic-version"];
  if (version === undefined) throw new Refusal(400, "anthropic-version: header is required");
  if (version !== "2023-06-01" && version !== "2026-10-21") throw new Refusal(400, "anthropic-version: not a known version");
  return version;
}

function parse({ headers }: IncomingMessage, text: string): unknown {
  if (text === "") return undefined;
  if (!/^application\/json\b/.test(headers["content-type"] ?? "")) throw new Refusal(400, "content-type: application/json is required");
  try {
    return JSON.parse(text);
  } catch {
    throw new Refusal(400, "The request body is not valid JSON");
  }
}

function safely(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function inPlaceOf(fault: Fault | undefined): Answer | undefined {
  switch (fault?.do) {
    case "reply": {
      const error = { type: "api_error", message: "made to fail" };
      return { status: fault.status, body: fault.body ?? { type: "error", error }, headers: fault.headers ?? {} };
    }
    case "html":
      return { status: fault.status ?? 200, body: "<!doctype html><title>Welcome</title>", headers: { "content-type": "text/html" } };
    case "rateLimit":
      return new Refusal(429, "Rate limit reached.", fault.retryAfter === undefined ? {} : { retryAfter: fault.retryAfter }).answer;
    default:
      return undefined;
  }
}
