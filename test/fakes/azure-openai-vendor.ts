import { startFakeAzureOpenAi } from "./azure-openai.ts";
import type { FakeVendor } from "./index.ts";

/** The Azure fake as the contract suite wants it. Requests to Entra are neither counted nor met by faults. */
export async function fakeAzureOpenAiVendor(): Promise<FakeVendor> {
  const fake = await startFakeAzureOpenAi();
  const { vendor, url, admin, settings } = fake;
  const { tenant, client } = admin;
  return {
    variants: {
      "client secret": settings,
      "workload identity, dated API": {
        ...settings,
        signIn: { tenant, client, federatedToken: { credential: "federated" } },
        verify: { apiVersion: "2024-10-21" },
      },
    },
    secrets: { admin: admin.secret, federated: admin.federatedToken },
    async use(secret) {
      const body = JSON.stringify({ model: "fake-1", messages: [{ role: "user", content: "ping" }] });
      const headers = { "api-key": secret, "content-type": "application/json", connection: "close" };
      const response = await fetch(`${url}/openai/v1/chat/completions`, { method: "POST", headers, body });
      await response.text();
      return response.status;
    },
    liveKeys: () => vendor.both().map(({ id }) => id),
    // Both slots are always taken.
    addStrangers() {},
    exhaust() {
      vendor.rules.localAuthDisabled = true;
    },
    createCall: { method: "POST", path: "/regenerateKey$" },
    revokeCall: { method: "POST", path: "/regenerateKey$" },
    addFault: (rule) => fake.faults.add(rule),
    requests: () => fake.log.length,
    connections: () => fake.connections,
    reset: () => fake.reset(),
    close: () => fake.close(),
  };
}
