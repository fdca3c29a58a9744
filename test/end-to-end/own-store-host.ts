import { mkdirSync } from "node:fs";
import { openClient } from "../../src/cli/client.ts";
import { type FakeOpenAi, startFakeOpenAi } from "../fakes/openai.ts";
import { Host, QUICK_TIMING } from "../support/host.ts";
import { freePort, GATEWAY_TOKEN, makeRealGateway, openclawJson, type RealGateway } from "../support/openclaw.ts";

/** As long as in real life: under load an old key was seen in use 2.9 s after the reload. */
const ADMISSION_WINDOW = "15s";
const ENTRY = "OPENAI_API_KEY";

/**
 * One credential `main` of the OpenAI fake, in a file that nobody reads, and as its mirror in the own store of a REAL OpenClaw
 * gateway, which has its key from there. The daemon is the real one.
 */
export class OwnStoreHost {
  static async start(agents: readonly string[]): Promise<OwnStoreHost> {
    const vendor = await startFakeOpenAi();
    Object.assign(vendor.pace, { firstMs: 20, chunkMs: 10, chunks: 3 });
    const port = await freePort();
    const host = new Host((h) => ({
      credentials: { admin: vendor.admin.secret, gateway: GATEWAY_TOKEN },
      config: {
        providers: {
          openai: {
            type: "openai",
            baseUrl: vendor.url,
            project: vendor.vendor.project,
            adminKey: Host.credential(h, "admin"),
            accounts: "shared",
            serviceAccount: vendor.account.id,
            listLag: "100ms",
            lastUsedLag: "1s",
            lastUsedPrecision: "1ms",
          },
        },
        stores: { local: { type: "file" }, own: { type: "openclaw-secrets", consumer: "gateway" } },
        consumers: {
          gateway: {
            type: "openclaw",
            url: `ws://127.0.0.1:${port}`,
            token: Host.credential(h, "gateway"),
            admissionWindow: ADMISSION_WINDOW,
            probeTimeout: "4m",
          },
        },
        credentials: {
          main: {
            provider: "openai",
            store: { use: "local", path: h.path("key") },
            mirrors: [{ use: "own", path: ENTRY }],
            consumers: [{ use: "gateway", provider: "openai" }],
            every: "30d",
          },
        },
        timing: {
          ...QUICK_TIMING,
          callTimeout: "10s",
          proveTimeout: "5m",
          reloadSettle: "10s",
          drainLimit: "3m",
          poll: "200ms",
          tellAfter: "8m",
        },
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

  readonly host: Host;
  readonly vendor: FakeOpenAi;
  readonly gateway: RealGateway;

  private constructor(host: Host, vendor: FakeOpenAi, gateway: RealGateway) {
    this.host = host;
    this.vendor = vendor;
    this.gateway = gateway;
  }

  /** Starts a rotation under a key of its own, or finds the one that was started under it. */
  async rotate(key: string): Promise<number> {
    const { rotations } = await openClient(this.host.socket, key).call("rotate", { name: "main", now: true });
    const id = rotations[0]?.rotation.id;
    if (id === undefined) throw new Error("no rotation was started");
    return id;
  }

  /** What the vendor saw of chats, by the key that signed them. */
  chatsSince(at: number): readonly string[] {
    return this.vendor.log
      .filter((seen) => seen.path.endsWith("/chat/completions") && seen.at >= at)
      .map(({ keyId }) => keyId ?? "unknown");
  }

  async stop(): Promise<void> {
    await this.host.end();
    await this.gateway.stop();
    await this.host.remove();
    await this.vendor.close();
  }
}
