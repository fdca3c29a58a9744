import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** The least of a vendor that an agent or a gateway can talk to: chat completions, as a stream or whole, for the keys that it was told. */
export interface ChatVendor {
  /** Base URL, with `/v1`. */
  readonly url: string;
  readonly accepted: Set<string>;
  /** Every request gets this status in place of an answer. */
  outage: number | undefined;
  /** What a refusal says. */
  refusal: string;
  /** How long an answer takes. */
  delayMs: number;
  /** The keys of all requests so far, in order. */
  readonly seen: string[];
  /** When each key was last used. */
  readonly lastUsed: Map<string, number>;
  stop(): Promise<void>;
}

export async function startChatVendor(): Promise<ChatVendor> {
  const server = createServer((request, response) => {
    serve(vendor, request, response).catch(() => response.destroy());
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const vendor: ChatVendor = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    accepted: new Set(),
    outage: undefined,
    refusal: "Incorrect API key provided: sk-***.",
    delayMs: 0,
    seen: [],
    lastUsed: new Map(),
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return vendor;
}

const USAGE = { prompt_tokens: 5, completion_tokens: 1, total_tokens: 6 };

async function serve(vendor: ChatVendor, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const key = (request.headers.authorization ?? "").replace(/^Bearer /, "");
  vendor.seen.push(key);
  vendor.lastUsed.set(key, Date.now());
  const asked = (await request.toArray()).join("");
  if (vendor.delayMs > 0) await sleep(vendor.delayMs);
  const refuse = (status: number, error: object) => {
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify({ error }));
  };
  if (vendor.outage !== undefined) return refuse(vendor.outage, { message: "made to fail", type: "server_error" });
  if (!vendor.accepted.has(key)) return refuse(401, { message: vendor.refusal, type: "invalid_request_error", code: "invalid_api_key" });
  sendChat(response, asked);
}

/** Answers a chat that was asked for with the body `asked`: as a stream unless it says otherwise. */
export function sendChat(response: ServerResponse, asked: string): void {
  if (asked !== "" && (JSON.parse(asked) as { stream?: boolean }).stream !== true) {
    const choices = [{ index: 0, message: { role: "assistant", content: "pong" }, finish_reason: "stop" }];
    const whole = { id: "x", object: "chat.completion", created: 1, model: "fake-1", choices, usage: USAGE };
    return void response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(whole));
  }
  response.writeHead(200, { "content-type": "text/event-stream" });
  const chunk = (fields: object) =>
    response.write(`data: ${JSON.stringify({ id: "x", object: "chat.completion.chunk", created: 1, model: "fake-1", ...fields })}\n\n`);
  chunk({ choices: [{ index: 0, delta: { role: "assistant", content: "pong" }, finish_reason: null }] });
  chunk({ choices: [{ index: 0, delta: {}, finish_reason: "stop" }] });
  chunk({ choices: [], usage: USAGE });
  response.end("data: [DONE]\n\n");
}
