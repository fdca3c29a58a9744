import type { FakeVendor } from "./index.ts";
import { type FakeOpenRouter, startFakeOpenRouter } from "./openrouter.ts";

export const fakeOpenRouterVendor = async () => openRouterVendor(await startFakeOpenRouter());

/** The OpenRouter fake as the contract suite wants it. */
export function openRouterVendor(fake: FakeOpenRouter): FakeVendor {
  const { vendor, url } = fake;
  const basics = { adminKey: { credential: "management" }, baseUrl: url };
  return {
    variants: {
      "default workspace": basics,
      "default workspace, bounded": { ...basics, limit: 25, limitReset: "weekly", includeByokInLimit: true, expiresIn: "90d" },
    },
    secrets: { management: fake.managementKey },
    async use(secret) {
      const body = JSON.stringify({ model: "fake/model-1", messages: [{ role: "user", content: "ping" }] });
      const headers = { authorization: `Bearer ${secret}`, "content-type": "application/json", connection: "close" };
      const response = await fetch(`${url}/chat/completions`, { method: "POST", headers, body });
      await response.text();
      return response.status;
    },
    liveKeys: () => vendor.everyKey().map(({ hash }) => hash),
    addStrangers(count) {
      for (let n = 0; n < count; n++) vendor.addKey(`stranger ${n}`);
    },
    exhaust(keyId) {
      const key = vendor.key(keyId);
      Object.assign(key, { limit: 1, usage: 1 });
    },
    createCall: { method: "POST", path: "/keys$" },
    revokeCall: { method: "DELETE" },
    addFault: (rule) => fake.faults.add(rule),
    requests: () => fake.log.length,
    connections: () => fake.connections,
    reset: () => fake.reset(),
    close: () => fake.close(),
  };
}
