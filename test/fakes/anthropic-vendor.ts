import { Secret } from "../../src/contract/secret.ts";
import { startFakeAnthropic } from "./anthropic.ts";
import type { FakeVendor } from "./index.ts";

/** The Anthropic fake as the contract suite wants it. */
export async function fakeAnthropicVendor(): Promise<FakeVendor> {
  const fake = await startFakeAnthropic();
  const { vendor, url, admin } = fake;
  const workspace = vendor.addWorkspace();
  const basics = { adminKey: { credential: "admin" }, baseUrl: url };
  return {
    variants: {
      "a workspace": { ...basics, workspace, serviceAccount: "openclaw", expiresIn: "90d" },
      "a workspace, asked by a message": { ...basics, workspace, verify: { by: "messages", model: "claude-fake-1" } },
    },
    secrets: { admin: admin.secret },
    async use(secret) {
      const body = JSON.stringify({ model: "claude-fake-1", max_tokens: 1, messages: [{ role: "user", content: "ping" }] });
      const headers = { "x-api-key": secret, "anthropic-version": "2023-06-01", "content-type": "application/json", connection: "close" };
      const response = await fetch(`${url}/v1/messages`, { method: "POST", headers, body });
      await response.text();
      return response.status;
    },
    liveKeys: () => vendor.everyKey().flatMap((key) => (vendor.statusOf(key) === "active" ? [key.id] : [])),
    addStrangers(count) {
      for (let n = 0; n < count; n++) vendor.addKey(`stranger ${n}`, { workspace });
    },
    async makeKey(name) {
      const { id, secret } = vendor.addKey(name, { workspace });
      return { id, secret: new Secret(secret) };
    },
    exhaust(keyId) {
      vendor.key(keyId).forbidden = true;
    },
    revokeCall: { method: "POST", path: "/api_keys/" },
    addFault: (rule) => fake.faults.add(rule),
    requests: () => fake.log.length,
    connections: () => fake.connections,
    reset: () => fake.reset(),
    close: () => fake.close(),
  };
}
