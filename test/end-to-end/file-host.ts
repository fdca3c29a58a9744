import { mkdirSync } from "node:fs";
import type { FakeOpenAi } from "../fakes/openai.ts";
import { freePort } from "../support/free-port.ts";
import { Host } from "../support/host.ts";
import { makeRealGateway, openclawJson, type RealGateway } from "../support/openclaw.ts";
import { credentialFiles, gatewayEntry, openAiEntry, REAL_TIMING, RealHost, startPacedOpenAi } from "./real-host.ts";

/** One credential `main` of the OpenAI fake, in a JSON file, used by a REAL OpenClaw gateway. */
export class FileHost extends RealHost {
  readonly vendor: FakeOpenAi;
  readonly gateway: RealGateway;

  static async start(agents: readonly string[]): Promise<FileHost> {
    const [vendor, port] = await Promise.all([startPacedOpenAi(), freePort()]);
    const host = new Host((h) => ({
      credentials: credentialFiles({ admin: vendor.admin.secret }),
      config: {
        providers: { openai: openAiEntry(h, vendor, "admin") },
        stores: { local: { type: "file" } },
        consumers: { gateway: gatewayEntry(h, port) },
        credentials: {
          main: {
            provider: "openai",
            store: { use: "local", path: h.path("openclaw/secrets.json"), field: "/openai/apiKey" },
            consumers: [{ use: "gateway", provider: "openai" }],
            every: "30d",
          },
        },
        timing: REAL_TIMING,
      },
    }));
    mkdirSync(host.path("openclaw"));
    host.write("openclaw/secrets.json", JSON.stringify({ openai: { apiKey: vendor.key.secret } }));
    const config = openclawJson({ vendor: vendor.url, secretFile: host.path("openclaw/secrets.json"), port, agents });
    const gateway = await makeRealGateway(config, host.path("openclaw"));
    const made = new FileHost(host, vendor, gateway);
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
