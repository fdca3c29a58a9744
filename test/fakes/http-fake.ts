import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { type Fault, makeFaults } from "./faults.ts";

/** What a route answers: a status and a JSON body. */
export interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** One request, before anybody looked at who sent it. */
export interface FakeRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly bearer: string | undefined;
  readonly contentType: string;
  /** The body as it was sent; empty for none. */
  readonly text: string;
}

/** A fake vendor's server: what every one of them has. */
export interface HttpFake {
  readonly url: string;
  readonly faults: ReturnType<typeof makeFaults>;
  /** Method and path, with the query, of each request so far. */
  readonly log: string[];
  /** How many connections were ever opened to it. */
  connections: number;
  close(): Promise<void>;
}

/** What makes it this vendor: its answers, and what its refusals look like. */
export interface Vendor {
  answer(request: FakeRequest): Answer | Promise<Answer>;
  /** A refusal that a fault makes. */
  refuse(status: number, message: string): Answer;
}

/** Starts a vendor on a loopback port. */
export async function startHttpFake(vendor: Vendor): Promise<HttpFake> {
  const server = createServer((request, response) => {
    serve(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const fake: HttpFake = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    faults: makeFaults(),
    log: [],
    connections: 0,
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
    const { pathname: path, searchParams: query, search } = new URL(request.url ?? "/", "http://fake");
    const method = request.method ?? "GET";
    const text = (await request.toArray()).join("");
    fake.log.push(`${method} ${path}${search}`);
    const fault = fake.faults.take(method, path);
    if (fault?.do === "hang") return;
    if (fault?.do === "dropBefore") return void request.socket.destroy();
    if (fault?.do === "delay") await sleep(fault.ms);
    const bearer = /^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1];
    const contentType = request.headers["content-type"] ?? "";
    const answer = inPlaceOf(fault) ?? (await vendor.answer({ method, path, query, bearer, contentType, text }));
    if (fault?.do === "loseReply") return void request.socket.destroy();
    response.writeHead(answer.status, { "content-type": "application/json", ...answer.headers });
    response.end(typeof answer.body === "string" ? answer.body : JSON.stringify(answer.body));
  }

  function inPlaceOf(fault: Fault | undefined): Answer | undefined {
    switch (fault?.do) {
      case "reply": {
        const made = vendor.refuse(fault.status, "made to fail");
        return { status: fault.status, body: fault.body ?? made.body, headers: fault.headers ?? {} };
      }
      case "html":
        return { status: fault.status ?? 200, body: "<!doctype html><title>Welcome</title>", headers: { "content-type": "text/html" } };
      case "rateLimit":
        return { ...vendor.refuse(429, "Rate limit exceeded"), headers: { ...(fault.retryAfter && { "retry-after": fault.retryAfter }) } };
      default:
        return undefined;
    }
  }
}
