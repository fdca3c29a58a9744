import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { type Fault, makeFaults } from "./faults.ts";

/** Stands in front of a real server: counts what comes, and makes faults. */
export interface FaultProxy {
  readonly url: string;
  readonly faults: ReturnType<typeof makeFaults>;
  /** Method and path, with the query, of each request so far. */
  readonly log: string[];
  /** How many connections were ever opened to it. */
  connections: number;
  /** Awaited before a request goes on to the server. */
  onRequest: ((method: string, path: string) => Promise<void>) | undefined;
  close(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const JSON_TYPE = { "content-type": "application/json" };

/** Starts a proxy for the server at `target`. `refusal` is the shape in which that server refuses. */
export async function startFaultProxy(target: string, refusal: (text: string) => unknown = (detail) => ({ detail })): Promise<FaultProxy> {
  const server = createServer((request, response) => {
    serve(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const proxy: FaultProxy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    faults: makeFaults(),
    log: [],
    connections: 0,
    onRequest: undefined,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  server.on("connection", () => {
    proxy.connections += 1;
  });
  return proxy;

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = "GET", url = "/" } = request;
    const body = (await request.toArray()).join("");
    proxy.log.push(`${method} ${url}`);
    const fault = proxy.faults.take(method, new URL(url, target).pathname);
    if (fault?.do === "hang") return;
    if (fault?.do === "dropBefore") return void request.socket.destroy();
    if (fault?.do === "delay") await sleep(fault.ms);
    await proxy.onRequest?.(method, new URL(url, target).pathname);
    const answer = inPlaceOf(fault, refusal) ?? (await forward(`${target}${url}`, method, request, body));
    if (fault?.do === "loseReply") return void request.socket.destroy();
    response.writeHead(answer.status, answer.headers).end(answer.body);
  }
}

async function forward(url: string, method: string, request: IncomingMessage, body: string): Promise<Answer> {
  const { host: _, "content-length": _length, ...sent } = request.headers;
  const headers = { ...(sent as Record<string, string>), connection: "close" };
  const response = await fetch(url, { method, headers, redirect: "manual", ...(body !== "" && { body }) });
  if (response.status === 204) return { status: 204, headers: {}, body: "" };
  return { status: response.status, headers: { "content-type": response.headers.get("content-type") ?? "" }, body: await response.text() };
}

function inPlaceOf(fault: Fault | undefined, refusal: (text: string) => unknown): Answer | undefined {
  switch (fault?.do) {
    case "reply":
      return {
        status: fault.status,
        headers: { ...JSON_TYPE, ...fault.headers },
        body: JSON.stringify(fault.body ?? refusal("made to fail")),
      };
    case "html":
      return { status: fault.status ?? 200, headers: { "content-type": "text/html" }, body: "<!doctype html><title>Welcome</title>" };
    case "rateLimit": {
      const headers = { ...JSON_TYPE, ...(fault.retryAfter !== undefined && { "retry-after": fault.retryAfter }) };
      return { status: 429, headers, body: JSON.stringify(refusal("Rate limit exceeded")) };
    }
    default:
      return undefined;
  }
}
