import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text as readText } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { armApi } from "./azure-openai/arm.ts";
import { type FakeApplication, makeEntra } from "./azure-openai/entra.ts";
import { inferenceApi } from "./azure-openai/inference.ts";
import { type Answer, Refusal } from "./azure-openai/replies.ts";
import { makeVendor, type Vendor } from "./azure-openai/vendor.ts";
import { type Fault, makeFaults } from "./faults.ts";

/** One request as the fake saw it; never a secret. Those to Entra are not among them. */
export interface Seen {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly at: number;
}

/** A request on its way: before the work, and after the work and before the answer. */
export type Phase = "before" | "handled";

export interface FakeAzureOpenAi {
  /** Address of all of it: Entra, Resource Manager and the account. */
  readonly url: string;
  readonly vendor: Vendor;
  readonly entra: ReturnType<typeof makeEntra>;
  readonly faults: ReturnType<typeof makeFaults>;
  readonly log: readonly Seen[];
  /** How many connections were ever opened to it. */
  connections: number;
  /** Applications that may do all, and that may only look. */
  readonly admin: FakeApplication;
  readonly reader: FakeApplication;
  /** The settings that are right for it; the secret of `admin` is `{ credential: "admin" }`. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Called at each phase of each request but those to Entra, and awaited. */
  onRequest: ((seen: Seen, phase: Phase) => void | Promise<void>) | undefined;
  /** Forgets faults, other rules and the log; keeps keys. */
  reset(): void;
  close(): Promise<void>;
}

/** Starts one account of Azure OpenAI, with Entra and Resource Manager before it, on one loopback port. */
export async function startFakeAzureOpenAi(): Promise<FakeAzureOpenAi> {
  const vendor = makeVendor();
  const entra = makeEntra("22222222-2222-4222-8222-222222222222");
  const faults = makeFaults();
  const log: Seen[] = [];
  const server = createServer((request, response) => {
    serve(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const admin = entra.addApplication();
  const fake: FakeAzureOpenAi = {
    url,
    vendor,
    entra,
    faults,
    log,
    connections: 0,
    admin,
    reader: entra.addApplication(true),
    settings: {
      subscription: vendor.subscription,
      resourceGroup: vendor.resourceGroup,
      account: vendor.account,
      signIn: { tenant: admin.tenant, client: admin.client, secret: { credential: "admin" } },
      exclusive: true,
      inferenceUrl: url,
      baseUrl: url,
      loginUrl: url,
    },
    onRequest: undefined,
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
    const method = request.method ?? "GET";
    const at = new URL(request.url ?? "/", url);
    const text = await readText(request);
    const token = entra.answer(method, at, url, request.headers, text);
    if (token !== undefined) return send(response, token);
    const seen = { method, path: at.pathname, at: Date.now() };
    log.push(seen);
    await fake.onRequest?.(seen, "before");
    const fault = faults.take(method, at.pathname);
    if (fault?.do === "hang") return;
    if (fault?.do === "dropBefore") return void request.socket.destroy();
    if (fault?.do === "delay") await sleep(fault.ms);
    const answer = inPlaceOf(fault) ?? work(method, at, request, text);
    await fake.onRequest?.(seen, "handled");
    if (fault?.do === "loseReply") return void request.socket.destroy();
    send(response, answer);
  }

  function work(method: string, { pathname: path, searchParams: query }: URL, request: IncomingMessage, text: string): Answer {
    try {
      const body = parse(request, text);
      const bearer = /^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1];
      if (path.startsWith("/openai/")) {
        const header = request.headers["api-key"];
        const secret = (Array.isArray(header) ? header[0] : header) ?? bearer;
        return inferenceApi(vendor, { method, path: path.slice("/openai/".length), query, body, secret });
      }
      const given = entra.find(bearer ?? "");
      if (given === undefined) throw new Refusal(401, "InvalidAuthenticationToken", "The access token is invalid.");
      if (given.audience !== url)
        throw new Refusal(401, "InvalidAuthenticationTokenAudience", "The access token has been obtained for wrong audience or resource.");
      return armApi(vendor, { method, path: decodeURI(path), query, body, readOnly: given.readOnly });
    } catch (error) {
      if (error instanceof Refusal) return error.answer;
      throw error;
    }
  }
}

function parse(request: IncomingMessage, text: string): unknown {
  if (text === "") return undefined;
  if (!/^application\/json\b/.test(request.headers["content-type"] ?? ""))
    throw new Refusal(415, "UnsupportedMediaType", "The content media type is not supported. Only 'application/json' is.");
  try {
    return JSON.parse(text);
  } catch {
    throw new Refusal(400, "InvalidRequestContent", "The request content was invalid and could not be deserialized.");
  }
}

function inPlaceOf(fault: Fault | undefined): Answer | undefined {
  switch (fault?.do) {
    case "reply": {
      const error = { code: "MadeToFail", message: "made to fail" };
      return { status: fault.status, body: fault.body ?? { error }, headers: fault.headers ?? {} };
    }
    case "html":
      return { status: fault.status ?? 200, body: "<!doctype html><title>Welcome</title>", headers: { "content-type": "text/html" } };
    case "rateLimit":
      return new Refusal(
        429,
        "TooManyRequests",
        "The request is being throttled.",
        fault.retryAfter ? { "retry-after": fault.retryAfter } : {},
      ).answer;
    default:
      return undefined;
  }
}

function send(response: ServerResponse, answer: Answer): void {
  if ("events" in answer) {
    response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" });
    for (const event of answer.events) response.write(`data: ${JSON.stringify(event)}\n\n`);
    response.end("data: [DONE]\n\n");
    return;
  }
  response.writeHead(answer.status, { "content-type": "application/json; charset=utf-8", ...answer.headers });
  response.end(typeof answer.body === "string" ? answer.body : JSON.stringify(answer.body));
}
