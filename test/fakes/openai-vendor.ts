import type { FakeVendor } from "./index.ts";
import { type FakeOpenAi, startFakeOpenAi } from "./openai.ts";

export const fakeOpenAiVendor = async () => openAiVendor(await startFakeOpenAi());

/** The OpenAI fake as the contract suite wants it. */
export function openAiVendor(fake: FakeOpenAi): FakeVendor {
  const { vendor, url, admin, account } = fake;
  const basics = { project: vendor.project, adminKey: { credential: "admin" }, baseUrl: url };
  return {
    variants: {
      "per-key": { ...basics, accounts: "per-key" },
      "per-key, narrowed": { ...basics, scopes: ["api.responses.write"], verify: { by: "responses", model: "fake-1" }, expiresIn: "90d" },
      shared: {
        ...basics,
        accounts: "shared",
        serviceAccount: account.id,
        scopes: ["model.request"],
        verify: { by: "chat", model: "fake-1" },
      },
    },
    secrets: { admin: admin.secret },
    async use(secret) {
      const body = JSON.stringify({ model: "fake-1", input: "ping" });
      const headers = { authorization: `Bearer ${secret}`, "content-type": "application/json", connection: "close" };
      const response = await fetch(`${url}/responses`, { method: "POST", headers, body });
      await response.text();
      return response.status;
    },
    liveKeys: () => vendor.everyKey().flatMap((key) => (key.deletedAt === null ? [key.id] : [])),
    addStrangers(count) {
      for (let n = 0; n < count; n++) vendor.addKey(account, `stranger ${n}`);
    },
    exhaust(keyId) {
      vendor.key(keyId).outOfQuota = true;
    },
    createCall: { method: "POST", path: "/v1/organization/" },
    revokeCall: { method: "DELETE" },
    addFault: (rule) => fake.faults.add(rule),
    requests: () => fake.log.length,
    connections: () => fake.connections,
    reset: () => fake.reset(),
    close: () => fake.close(),
  };
}
