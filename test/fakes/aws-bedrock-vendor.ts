import { MODEL } from "./aws-bedrock/inference.ts";
import { startFakeBedrock } from "./aws-bedrock.ts";
import type { FakeVendor } from "./index.ts";

const USER = "bedrock-user";

/** The Bedrock fake as the contract suite wants it. */
export async function fakeBedrockVendor(): Promise<FakeVendor> {
  const fake = await startFakeBedrock([USER]);
  const { vendor, url } = fake;
  const addresses = { endpoint: url, inferenceUrl: url };
  const basics = { region: "eu-central-1", user: USER, accessKey: { credential: "admin" }, ...addresses };
  return {
    variants: {
      "listing models": basics,
      conversing: { ...basics, exclusive: true, expiresIn: "90d", verify: { by: "converse", model: MODEL } },
    },
    secrets: { admin: fake.admin },
    async use(secret) {
      const body = JSON.stringify({ messages: [{ role: "user", content: [{ text: "ping" }] }] });
      const headers = { authorization: `Bearer ${secret}`, "content-type": "application/json", connection: "close" };
      const response = await fetch(`${url}/model/${encodeURIComponent(MODEL)}/converse`, { method: "POST", headers, body });
      await response.text();
      return response.status;
    },
    liveKeys: () => vendor.of(USER).map(({ id }) => id),
    addStrangers: () => {},
    makeRoom: () => vendor.clear(),
    exhaust(keyId) {
      vendor.key(keyId).denied = true;
    },
    createCall: { path: "/CreateServiceSpecificCredential$" },
    revokeCall: { path: "/DeleteServiceSpecificCredential$" },
    addFault: (rule) => fake.faults.add(rule),
    requests: () => fake.log.length,
    connections: () => fake.connections,
    reset: () => fake.reset(),
    close: () => fake.close(),
  };
}
