import { type AnyLlmGateway, startAnyLlm } from "../support/any-llm.ts";
import { startFaultProxy } from "./fault-proxy.ts";
import type { FakeVendor } from "./index.ts";

const AT_ONCE = 8;

/** The real any-llm gateway behind a proxy that makes faults, as the contract suite wants it. */
export async function anyLlmVendor(): Promise<FakeVendor> {
  const gateway = await startAnyLlm();
  const proxy = await startFaultProxy(gateway.url);
  const basics = { baseUrl: proxy.url, adminKey: { credential: "master" }, verify: { model: "openai:fake-1" } };
  return {
    variants: {
      "a user for each key": basics,
      "one user": { ...basics, user: "openclaw" },
    },
    secrets: { master: gateway.masterKey },
    use: async (secret) => (await chat(gateway, secret)).status,
    liveKeys: () => everyId(gateway),
    async addStrangers(count) {
      // A few at a time: more requests at once than its pool has connections, 15, stop the gateway for half a minute.
      for (let made = 0; made < count; made += AT_ONCE) {
        const batch = Array.from({ length: Math.min(AT_ONCE, count - made) }, (_, n) => ({ key_name: `stranger ${made + n}` }));
        await Promise.all(batch.map((body) => gateway.call("POST", "/v1/keys", body)));
      }
    },
    async exhaust(keyId) {
      await gateway.call("PATCH", `/v1/keys/${keyId}`, { is_active: false });
    },
    createCall: { method: "POST", path: "/v1/keys$" },
    revokeCall: { method: "DELETE" },
    addFault: (rule) => proxy.faults.add(rule),
    requests: () => proxy.log.length,
    connections: () => proxy.connections,
    reset() {
      proxy.faults.clear();
      proxy.log.length = 0;
    },
    async close() {
      await proxy.close();
      await gateway.close();
    },
  };
}

function chat(gateway: AnyLlmGateway, secret: string) {
  const body = { model: "openai:fake-1", messages: [{ role: "user", content: "ping" }] };
  return gateway.call("POST", "/v1/chat/completions", body, secret);
}

async function everyId(gateway: AnyLlmGateway): Promise<string[]> {
  const { body } = await gateway.call("GET", "/v1/keys?limit=1000");
  return (body as { id: string }[]).map(({ id }) => id).sort();
}
