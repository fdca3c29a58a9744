import { startFakeGemini } from "./gemini.ts";
import type { FakeVendor } from "./index.ts";

/** The Gemini fake as the contract suite wants it. Requests for tokens are neither counted nor met by faults. */
export async function fakeGeminiVendor(): Promise<FakeVendor> {
  const fake = await startFakeGemini();
  const { vendor, url } = fake;
  const basics = {
    project: vendor.project,
    adminKey: { credential: "admin" },
    serviceAccount: `keys@${vendor.project}.iam.gserviceaccount.com`,
    baseUrl: url,
    inferenceUrl: url,
    tokenUrl: `${url}/token`,
  };
  return {
    variants: {
      "listing models": basics,
      "counting tokens": { ...basics, verify: { by: "countTokens", model: "gemini-fake-1" } },
      generating: { ...basics, verify: { by: "generateContent", model: "gemini-fake-1" } },
    },
    secrets: { admin: fake.admin },
    async use(secret) {
      const body = JSON.stringify({ contents: [{ parts: [{ text: "ping" }] }] });
      const headers = { "x-goog-api-key": secret, "content-type": "application/json", connection: "close" };
      const response = await fetch(`${url}/v1beta/models/gemini-fake-1:generateContent`, { method: "POST", headers, body });
      await response.text();
      return response.status;
    },
    liveKeys: () => vendor.everyKey().flatMap((key) => (key.deletedAt === null ? [key.id] : [])),
    addStrangers(count) {
      for (let n = 0; n < count; n++) vendor.addKey(undefined, `stranger ${n}`);
    },
    exhaust(keyId) {
      vendor.key(keyId).blocked = true;
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
