import type { FakeVendor } from "./index.ts";
import { startFakeLiteLlm } from "./litellm.ts";

/** The LiteLLM fake as the contract suite wants it. */
export async function fakeLiteLlmVendor(): Promise<FakeVendor> {
  const fake = await startFakeLiteLlm();
  const { vendor, url } = fake;
  const basics = { baseUrl: url, adminKey: { credential: "master" } };
  return {
    variants: {
      "listing models": basics,
      "asking a model": { ...basics, team: "team-1", models: ["fake-1"], expiresIn: "90d", verify: { by: "chat", model: "fake-1" } },
    },
    secrets: { master: vendor.masterKey },
    async use(secret) {
      const body = JSON.stringify({ model: "fake-1", messages: [{ role: "user", content: "ping" }] });
      const headers = { authorization: `Bearer ${secret}`, "content-type": "application/json", connection: "close" };
      const response = await fetch(`${url}/v1/chat/completions`, { method: "POST", headers, body });
      await response.text();
      return response.status;
    },
    liveKeys: () => vendor.everyKey().map(({ token }) => token),
    addStrangers(count) {
      for (let n = 0; n < count; n++) vendor.addKey(`stranger ${n}`);
    },
    exhaust(keyId) {
      const key = vendor.keys.get(keyId);
      if (key !== undefined) vendor.keys.set(keyId, { ...key, rights: { ...key.rights, max_budget: 1 }, spend: 2 });
    },
    createCall: { method: "POST", path: "/key/generate$" },
    revokeCall: { method: "POST", path: "/key/delete$" },
    addFault: (rule) => fake.faults.add(rule),
    requests: () => fake.log.length,
    connections: () => fake.connections,
    reset: () => fake.reset(),
    close: () => fake.close(),
  };
}
