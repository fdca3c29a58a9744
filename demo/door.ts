import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { sendChat } from "../test/support/chat-vendor.ts";
import { PACE } from "./vendor.ts";

/** What a vendor's client library is to a program: it takes chats in OpenAI's shape, and asks the vendor in its own. */
export interface Door {
  /** With `/v1`. */
  readonly url: string;
  /** How many chats were served, by secret. */
  readonly served: ReadonlyMap<string, number>;
  close(): Promise<void>;
}

/** `use` makes one live request with a secret, and answers its status. */
export async function startDoor(use: (secret: string) => Promise<number>): Promise<Door> {
  const served = new Map<string, number>();
  const server = createServer((request, response) => {
    pass(request, response).catch(() => response.destroy());
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    served,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };

  async function pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const secret = (request.headers.authorization ?? "").replace(/^Bearer /, "");
    const asked = await text(request);
    const status = await use(secret);
    if (status !== 200) {
      const error = { message: `the vendor answered ${status}`, type: "invalid_request_error" };
      return void response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify({ error }));
    }
    await sleep(PACE.firstMs + PACE.chunks * PACE.chunkMs);
    served.set(secret, (served.get(secret) ?? 0) + 1);
    sendChat(response, asked);
  }
}
