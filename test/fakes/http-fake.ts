import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text as textOf } from "node:stream/consumers";
import { finished } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { type Fault, makeFaults } from "./faults.ts";

/** What a route answers: a status and a body, which goes out as JSON unless it is text. */
export interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An answer that comes as server-sent events. */
export interface EventStream {
  readonly status: 200;
  readonly events: AsyncIterable<unknown> | Iterable<unknown>;
}

/** A refusal in the vendor's error shape: thrown by a route, sent by the server. */
export class Refused extends Error {
  readonly answer: Answer;

  constructor(message: string, answer: Answer) {
    super(message);
    this.answer = answer;
  }
}

/** One request, before anybody looked at who sent it. */
export interface FakeRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  /** Path and query as they were sent. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly bearer: string | undefined;
  readonly contentType: string;
  /** The body as it was sent; empty for none. */
  readonly text: string;
}

/** A request on its way: before the work, and after the work and before the answer. */
export type Phase = "before" | "handled";

/** A fake vendor's server: what every one of them has. */
export interface HttpFake<Seen = string> {
  readonly url: string;
  readonly faults: ReturnType<typeof makeFaults>;
  /** The requests so far. */
  readonly log: Seen[];
  /** How many connections were ever opened to it. */
  connections: number;
  /** Forgets faults, the log, and what the vendor can forget: rules, lags, and never keys. */
  reset(): void;
  close(): Promise<void>;
}

/** What makes it this vendor: its answers, and what its refusals look like. */
export interface Vendor<Seen> {
  /** May throw a `Refused`. */
  answer(request: FakeRequest): Answer | EventStream | Promise<Answer | EventStream>;
  /** A refusal that a fault makes. */
  refuse(status: number, message: string, request: FakeRequest): Answer;
  /** Its refusal of too many requests, where that is not the one above with 429. */
  limit?(request: FakeRequest): Answer;
  /** The entry of a request in the log. */
  seen(request: FakeRequest): Seen;
  /** Answers what is no request to the vendor proper: neither the log nor the faults know of it. */
  aside?(request: FakeRequest): Answer | undefined;
  /** What the paths of faults are compared with, where it is not the path. */
  faultPath?(request: FakeRequest): string;
  /** Awaited at each phase of each request. */
  onRequest?(seen: Seen, phase: Phase): void | Promise<void>;
  /** Has an answer sent; `send` resolves when it is out. */
  reply?(seen: Seen, status: number, send: () => Promise<void>): Promise<void>;
  reset?(): void;
  /** How it calls its JSON. */
  readonly contentType?: string;
}

/** A log entry for those that keep no more: method and path, with the query. */
export const methodAndTarget = ({ method, target }: FakeRequest): string => `${method} ${target}`;

/** Starts a vendor on a loopback port. */
export async function startHttpFake<Seen>(vendor: Vendor<Seen>, port = 0): Promise<HttpFake<Seen>> {
  const server = createServer((request, response) => {
    serve(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  const fake: HttpFake<Seen> = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    faults: makeFaults(),
    log: [],
    connections: 0,
    reset() {
      fake.faults.clear();
      fake.log.length = 0;
      vendor.reset?.();
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

  async function serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const request = await read(incoming);
    const aside = vendor.aside?.(request);
    if (aside !== undefined) return send(response, aside);
    const seen = vendor.seen(request);
    fake.log.push(seen);
    await vendor.onRequest?.(seen, "before");
    const fault = fake.faults.take(request.method, vendor.faultPath?.(request) ?? request.path);
    if (fault?.do === "hang") return;
    if (fault?.do === "dropBefore") return void incoming.socket.destroy();
    if (fault?.do === "delay") await sleep(fault.ms);
    const answer = inPlaceOf(fault, request) ?? (await work(request));
    await vendor.onRequest?.(seen, "handled");
    if (fault?.do === "loseReply") return void incoming.socket.destroy();
    const sending = () => send(response, answer);
    await (vendor.reply === undefined ? sending() : vendor.reply(seen, answer.status, sending));
  }

  async function work(request: FakeRequest): Promise<Answer | EventStream> {
    try {
      return await vendor.answer(request);
    } catch (error) {
      if (error instanceof Refused) return error.answer;
      throw error;
    }
  }

  function inPlaceOf(fault: Fault | undefined, request: FakeRequest): Answer | undefined {
    switch (fault?.do) {
      case "reply": {
        if (fault.body !== undefined) return { status: fault.status, body: fault.body, headers: fault.headers ?? {} };
        return withHeaders(vendor.refuse(fault.status, "made to fail", request), fault.headers);
      }
      case "html":
        return { status: fault.status ?? 200, body: "<!doctype html><title>Welcome</title>", headers: { "content-type": "text/html" } };
      case "rateLimit": {
        const limited = vendor.limit?.(request) ?? vendor.refuse(429, "Rate limit exceeded", request);
        return withHeaders(limited, fault.retryAfter === undefined ? {} : { "retry-after": fault.retryAfter });
      }
      default:
        return undefined;
    }
  }

  /** Sends an answer whole, or until the client is gone. */
  async function send(response: ServerResponse, answer: Answer | EventStream): Promise<void> {
    if ("events" in answer) {
      response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache" });
      for await (const event of answer.events) {
        if (response.destroyed) return;
        response.write(`data: ${JSON.stringify(event)}\n\n`);
      }
      response.end("data: [DONE]\n\n");
    } else {
      response.writeHead(answer.status, { "content-type": vendor.contentType ?? "application/json", ...answer.headers });
      response.end(typeof answer.body === "string" ? answer.body : JSON.stringify(answer.body));
    }
    await finished(response).catch(() => undefined);
  }
}

async function read(incoming: IncomingMessage): Promise<FakeRequest> {
  const target = incoming.url ?? "/";
  const { pathname: path, searchParams: query } = new URL(target, "http://fake");
  // Node joins a header that comes twice, but for `set-cookie`, which no request has.
  const headers = incoming.headers as FakeRequest["headers"];
  const bearer = /^Bearer (.+)$/.exec(headers["authorization"] ?? "")?.[1];
  const contentType = headers["content-type"] ?? "";
  return { method: incoming.method ?? "GET", path, query, target, headers, bearer, contentType, text: await textOf(incoming) };
}

const withHeaders = (answer: Answer, headers: Answer["headers"]): Answer => ({ ...answer, headers: { ...answer.headers, ...headers } });
