import { mkdirSync } from "node:fs";
import { openClient } from "../../src/cli/client.ts";
import { type FakeOpenAi, startFakeOpenAi } from "../fakes/openai.ts";
import { Host, QUICK_TIMING } from "../support/host.ts";
import { freePort, GATEWAY_TOKEN, makeRealGateway, openclawJson, type RealGateway } from "../support/openclaw.ts";

/** As long as in real life: under load the old key was seen in use 2.9 s after the reload. */
const ADMISSION_WINDOW = "15s";

/** Agents of the first gateway, by the credential whose vendor serves them. */
export const AGENTS = { main: "main", second: "helper" } as const;
export type Name = keyof typeof AGENTS;

/**
 * Two REAL OpenClaw gateways and two credentials, `main` and `second`, of two vendors. The first gateway uses both of them, out of one
 * JSON file; the other one has a copy of `main` in a file of its own. The daemon is the real one.
 */
export class SharedHost {
  readonly host: Host;
  readonly vendors: Readonly<Record<Name, FakeOpenAi>>;
  readonly gateways: readonly [RealGateway, RealGateway];

  static async start(): Promise<SharedHost> {
    const vendors = { main: await startFakeOpenAi(), second: await startFakeOpenAi({ project: "proj_second" }) };
    for (const { pace } of Object.values(vendors)) Object.assign(pace, { firstMs: 20, chunkMs: 10, chunks: 3 });
    const ports = [await freePort(), await freePort()] as const;
    const host = new Host((h) => ({
      credentials: { main: vendors.main.admin.secret, second: vendors.second.admin.secret, gateway: GATEWAY_TOKEN },
      config: {
        providers: { main: provider(h, vendors, "main"), second: provider(h, vendors, "second") },
        stores: { local: { type: "file" } },
        consumers: {
          first: gateway(h, ports[0]),
          other: gateway(h, ports[1]),
        },
        credentials: {
          main: {
            provider: "main",
            store: { use: "local", path: h.path("first/secrets.json"), field: "/openai/apiKey" },
            mirrors: [{ use: "local", path: h.path("other/secrets.json"), field: "/openai/apiKey" }],
            consumers: [
              { use: "first", provider: "openai" },
              { use: "other", provider: "openai" },
            ],
          },
          second: {
            provider: "second",
            store: { use: "local", path: h.path("first/secrets.json"), field: "/acme/apiKey" },
            consumers: [{ use: "first", provider: "acme" }],
          },
        },
        timing: {
          ...QUICK_TIMING,
          callTimeout: "20s",
          proveTimeout: "4m",
          reloadSettle: "30s",
          drainLimit: "5m",
          poll: "200ms",
          tellAfter: "10m",
        },
      },
    }));
    for (const folder of ["first", "other"]) mkdirSync(host.path(folder));
    const keys = { openai: { apiKey: vendors.main.key.secret }, acme: { apiKey: vendors.second.key.secret } };
    host.write("first/secrets.json", JSON.stringify({ note: "not ours", ...keys }));
    host.write("other/secrets.json", JSON.stringify({ openai: keys.openai }));
    const gateways = [
      await makeRealGateway(bothVendors(host, vendors, ports[0]), host.path("first")),
      await makeRealGateway(
        openclawJson({ vendor: vendors.main.url, secretFile: host.path("other/secrets.json"), port: ports[1] }),
        host.path("other"),
      ),
    ] as const;
    const made = new SharedHost(host, vendors, gateways);
    await Promise.all([...gateways.map((gateway) => gateway.start()), host.start()]);
    for (const consumer of ["first", "other"]) await host.client.call("pair", { consumer });
    for (const name of ["main", "second"]) await host.client.call("adopt", { name });
    return made;
  }

  private constructor(host: Host, vendors: Readonly<Record<Name, FakeOpenAi>>, gateways: readonly [RealGateway, RealGateway]) {
    this.host = host;
    this.vendors = vendors;
    this.gateways = gateways;
  }

  async rotate(name: Name): Promise<number> {
    const { rotations } = await openClient(this.host.socket, crypto.randomUUID()).call("rotate", { name, now: true });
    const id = rotations[0]?.rotation.id;
    if (id === undefined) throw new Error("no rotation was started");
    return id;
  }

  /** The key that stands in a gateway's file. */
  stored(folder: "first" | "other", provider: "openai" | "acme"): string {
    return JSON.parse(this.host.read(`${folder}/secrets.json`))[provider].apiKey;
  }

  /** Ids of the keys that work at a vendor. */
  live(name: Name): readonly string[] {
    return this.vendors[name].vendor.everyKey().flatMap(({ id, deletedAt }) => (deletedAt === null ? [id] : []));
  }

  /** The keys that signed chats at a vendor from then on. */
  chatsSince(name: Name, at: number): readonly (string | null)[] {
    return this.vendors[name].log.filter((seen) => seen.path.endsWith("/chat/completions") && seen.at >= at).map(({ keyId }) => keyId);
  }

  async stop(): Promise<void> {
    await this.host.end();
    await Promise.all(this.gateways.map((gateway) => gateway.stop()));
    await this.host.remove();
    await Promise.all(Object.values(this.vendors).map((vendor) => vendor.close()));
  }
}

function provider(host: Parameters<typeof Host.credential>[0], vendors: Readonly<Record<Name, FakeOpenAi>>, name: Name) {
  const { url, vendor, account } = vendors[name];
  return {
    type: "openai",
    baseUrl: url,
    project: vendor.project,
    adminKey: Host.credential(host, name),
    accounts: "shared",
    serviceAccount: account.id,
    listLag: "100ms",
    lastUsedLag: "1s",
    lastUsedPrecision: "1ms",
  };
}

/** Two gateways on a small machine answer late at times. */
function gateway(host: Parameters<typeof Host.credential>[0], port: number) {
  const url = `ws://127.0.0.1:${port}`;
  return { type: "openclaw", url, token: Host.credential(host, "gateway"), admissionWindow: ADMISSION_WINDOW, callTimeout: "60s" };
}

/** The usual file with a second vendor, which one of its agents uses. */
function bothVendors(host: Host, vendors: Readonly<Record<Name, FakeOpenAi>>, port: number) {
  const usual = openclawJson({ vendor: vendors.main.url, secretFile: host.path("first/secrets.json"), port });
  const { openai } = usual.models.providers;
  const acme = { ...openai, baseUrl: vendors.second.url, apiKey: { source: "file", provider: "keys", id: "/acme/apiKey" } };
  return {
    ...usual,
    models: { providers: { openai, acme } },
    agents: {
      ...usual.agents,
      ownership: "explicit",
      entries: { [AGENTS.main]: {}, [AGENTS.second]: { model: "acme/fake-1" } },
    },
  };
}
