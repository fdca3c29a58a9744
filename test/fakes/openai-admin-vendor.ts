import { Secret } from "../../src/contract/secret.ts";
import type { FakeVendor } from "./index.ts";
import { startFakeOpenAi } from "./openai.ts";

/** The admin keys of the OpenAI fake as the contract suite wants them. */
export async function fakeOpenAiAdminVendor(): Promise<FakeVendor> {
  const fake = await startFakeOpenAi();
  const { url, admin } = fake;
  const { admins } = fake.vendor;
  const basics = { adminKey: { credential: "admin" }, baseUrl: url };
  return {
    variants: {
      all: basics,
      "all, with an end": { ...basics, expiresIn: "90d", verify: "projects" },
      restricted: { ...basics, scopes: "restricted" },
    },
    secrets: { admin: admin.secret },
    async use(secret) {
      const headers = { authorization: `Bearer ${secret}`, connection: "close" };
      const response = await fetch(`${url}/organization/admin_api_keys`, { headers });
      await response.text();
      return response.status;
    },
    liveKeys: () => admins.every().flatMap((key) => (key.deletedAt === null ? [key.id] : [])),
    addStrangers(count) {
      for (let n = 0; n < count; n++) admins.add(`stranger ${n}`);
    },
    makeKey(name) {
      const { id, secret } = admins.add(name);
      return Promise.resolve({ id, secret: new Secret(secret) });
    },
    exhaust(keyId) {
      admins.byId(keyId).scopes = "none";
    },
    createCall: { method: "POST" },
    revokeCall: { method: "DELETE" },
    addFault: (rule) => fake.faults.add(rule),
    requests: () => fake.log.length,
    connections: () => fake.connections,
    reset: () => fake.reset(),
    close: () => fake.close(),
  };
}
