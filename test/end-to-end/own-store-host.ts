import { mkdirSync } from "node:fs";
import type { FakeOpenAi } from "../fakes/openai.ts";
import { freePort } from "../support/free-port.ts";
import { Host } from "../support/host.ts";
import { makeRealGateway, openclawJson, type RealGateway } from "../support/openclaw.ts";
import { credentialFiles, gatewayEntry, openAiEntry, REAL_TIMING, RealHost, startPacedOpenAi } from "./real-host.ts";

const ENTRY = "OPENAI_API_KEY";

/**
 * One credential `main` of the OpenAI fake, in a file that nobody reads, and as its mirror in the own store of a REAL OpenClaw
 * gateway, which has its key from there.
 */
export class OwnStoreHost extends RealHost {
  readonly vendor: FakeOpenAi;
  readonly gateway: RealGateway;

  static async start(agents: readonly string[]): Promise<OwnStoreHost> {
    const [vendor, port] = await Promise.all([startPacedOpenAi(), freePort()]);
    const host = new Host((h) => ({
      credentials: credentialFiles({ admin: vendor.admin.secret }),
      config: {
        providers: { openai: openAiEntry(h, vendor, "admin") },
        stores: { local: { type: "file" }, own: { type: "openclaw-secrets", consumer: "gateway" } },
        consumers: { gateway: gatewayEntry(h, port, { probeTimeout: "4m" }) },
        credentials: {
          main: {
            provider: "openai",
            store: { use: "local", path: h.path("key") },
            mirrors: [{ use: "own", path: ENTRY }],
            consumers: [{ use: "gateway", provider: "openai" }],
            every: "30d",
          },
        },
        timing: { ...REAL_TIMING, callTimeout: "10s", proveTimeout: "5m", tellAfter: "8m" },
      },
    }));
    host.write("key", vendor.key.secret);
    mkdirSync(host.path("openclaw"));
    const apiKey = { source: "store", provider: "default", id: ENTRY } as const;
    const config = openclawJson({ vendor: vendor.url, secretFile: "/dev/null", port, agents, apiKey });
    const gateway = await makeRealGateway(config, host.path("openclaw"));
    const made = new OwnStoreHost(host, vendor, gateway);
    await gateway.enter(ENTRY, vendor.key.secret);
    await Promise.all([gateway.start(), host.start()]);
    await host.client.call("pair", { consumer: "gateway" });
    await host.client.call("adopt", { name: "main" });
    return made;
  }

  private constructor(host: Host, vendor: FakeOpenAi, gateway: RealGateway) {
    super(host, [gateway], [vendor]);
    this.vendor = vendor;
    this.gateway = gateway;
  }
}
