import { mkdirSync } from "node:fs";
import type { FakeOpenAi } from "../fakes/openai.ts";
import { freePort } from "../support/free-port.ts";
import { Host } from "../support/host.ts";
import { makeRealGateway, openclawJson, type RealGateway } from "../support/openclaw.ts";
import { credentialFiles, gatewayEntry, openAiEntry, REAL_TIMING, RealHost, startPacedOpenAi } from "./real-host.ts";

/** Agents of the first gateway, by the credential whose vendor serves them. */
export const AGENTS = { main: "main", second: "helper" } as const;
export type Name = keyof typeof AGENTS;

const LATE = { callTimeout: "60s" } as const;

/**
 * Two REAL OpenClaw gateways and two credentials, `main` and `second`, of two vendors. The first gateway uses both of them, out of one
 * JSON file; the other one has a copy of `main` in a file of its own. The daemon is the real one.
 */
export class SharedHost extends RealHost {
  readonly vendors: Readonly<Record<Name, FakeOpenAi>>;
  readonly gateways: readonly [RealGateway, RealGateway];

  static async start(): Promise<SharedHost> {
    const vendors = { main: await startPacedOpenAi(), second: await startPacedOpenAi({ project: "proj_second" }) };
    const ports = [await freePort(), await freePort()] as const;
    const host = new Host((h) => ({
      credentials: credentialFiles({ main: vendors.main.admin.secret, second: vendors.second.admin.secret }),
      config: {
        providers: { main: openAiEntry(h, vendors.main, "main"), second: openAiEntry(h, vendors.second, "second") },
        stores: { local: { type: "file" } },
        // Two gateways on a small machine answer late at times.
        consumers: { first: gatewayEntry(h, ports[0], LATE), other: gatewayEntry(h, ports[1], LATE) },
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
        timing: { ...REAL_TIMING, callTimeout: "20s", proveTimeout: "4m", reloadSettle: "30s", drainLimit: "5m", tellAfter: "10m" },
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
    super(host, gateways, Object.values(vendors));
    this.vendors = vendors;
    this.gateways = gateways;
  }

  /** The key that stands in a gateway's file. */
  stored(folder: "first" | "other", provider: "openai" | "acme"): string {
    return JSON.parse(this.host.read(`${folder}/secrets.json`))[provider].apiKey;
  }
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
