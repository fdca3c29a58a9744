import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openclaw } from "../../adapters/consumers/openclaw/index.ts";
import { GATEWAY_TOKEN } from "../support/openclaw.ts";
import { tokenJson } from "../support/token-host.ts";
import { startFakeGateway } from "./gateway.ts";
import type { FakeVendor } from "./index.ts";

/** The fake gateway as the vendor of its own token, which stands in a file of its own. */
export async function openclawTokenVendor(): Promise<FakeVendor> {
  const directory = await mkdtemp(join(tmpdir(), "rotated-own-token-"));
  const path = join(directory, "token");
  await writeFile(path, GATEWAY_TOKEN, { mode: 0o600 });
  const gateway = await startFakeGateway(tokenJson("file", path));
  let requests = 0;
  gateway.onRequest = (_, phase) => {
    if (phase === "before") requests += 1;
  };

  return {
    variants: { "token in a file": { consumer: "gateway", alsoUsedBy: ["the laptop in the kitchen"] } },
    secrets: { gateway: GATEWAY_TOKEN },
    async through(world) {
      const settings = openclaw.settings.parse({ url: gateway.url, token: { credential: "gateway" } });
      await openclaw
        .connect(settings, openclaw.use.parse({ provider: "openai" }), { credential: "token", consumer: "gateway" }, world)
        .pair?.(AbortSignal.timeout(5000));
      return { name: "gateway", settings };
    },
    live: () => gateway.token() ?? "",
    async load(secret) {
      await writeFile(path, secret, { mode: 0o600 });
      await gateway.secrets.reload();
    },
    use: async (secret) => (secret === gateway.token() ? 200 : 401),
    liveKeys: () => unused("ids of keys"),
    addStrangers: () => unused("other keys"),
    exhaust: () => unused("limits"),
    revokeCall: {},
    addFault: () => unused("faults of HTTP"),
    requests: () => requests,
    connections: () => gateway.connections(),
    reset() {
      requests = 0;
    },
    async close() {
      await gateway.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function unused(what: string): never {
  throw new Error(`a gateway's own token has no ${what}`);
}
