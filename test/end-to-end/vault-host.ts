import { mkdirSync } from "node:fs";
import { openClient } from "../../src/cli/client.ts";
import { type AnyLlmGateway, startAnyLlm } from "../support/any-llm.ts";
import { Host, QUICK_TIMING } from "../support/host.ts";
import { type OpenBao, startOpenBao } from "../support/openbao.ts";
import { freePort, GATEWAY_TOKEN, makeRealGateway, openclawJson, type RealGateway } from "../support/openclaw.ts";

/** As long as in real life: under load an old key was seen in use 2.9 s after the reload. */
const ADMISSION_WINDOW = "15s";
const [PATH, FIELD] = ["openclaw/any-llm", "apiKey"];

/**
 * One credential `main` with no fake in the path of its key: a real any-llm gateway issues and checks it, a real OpenBao keeps it,
 * and a real OpenClaw gateway reads it there with its own `vault` plugin. The daemon is the real one.
 */
export class VaultHost {
  static async start(): Promise<VaultHost> {
    const [vendor, bao, port] = await Promise.all([startAnyLlm(), startOpenBao(), freePort()]);
    const host = new Host((h) => ({
      credentials: { admin: vendor.masterKey, gateway: GATEWAY_TOKEN, vault: bao.rootToken },
      config: {
        providers: {
          "any-llm": {
            type: "any-llm",
            baseUrl: vendor.url,
            adminKey: Host.credential(h, "admin"),
            verify: { model: "openai:fake-1" },
            listLag: "100ms",
            lastUsedLag: "1s",
            lastUsedPrecision: "1s",
          },
        },
        stores: { vault: { type: "vault", url: bao.url, auth: { token: Host.credential(h, "vault") } } },
        consumers: {
          gateway: {
            type: "openclaw",
            url: `ws://127.0.0.1:${port}`,
            token: Host.credential(h, "gateway"),
            admissionWindow: ADMISSION_WINDOW,
          },
        },
        credentials: {
          main: {
            provider: "any-llm",
            store: { use: "vault", path: PATH, field: FIELD },
            consumers: [{ use: "gateway", provider: "any-llm" }],
            every: "30d",
          },
        },
        timing: { ...QUICK_TIMING, callTimeout: "5s", proveTimeout: "110s", reloadSettle: "10s", drainLimit: "3m", poll: "200ms" },
      },
    }));
    const { body } = await vendor.call("POST", "/v1/keys", { key_name: "made by hand" });
    const first = body as { readonly id: string; readonly key: string };
    await bao.call("POST", `secret/data/${PATH}`, { data: { [FIELD]: first.key, note: "not ours" } });

    mkdirSync(host.path("openclaw"));
    const gateway = await makeRealGateway(openclawConfig(vendor, port), host.path("openclaw"), {
      VAULT_ADDR: bao.url,
      VAULT_TOKEN: bao.rootToken,
    });
    const made = new VaultHost(host, vendor, bao, gateway);
    await Promise.all([gateway.start(), host.start()]);
    await host.client.call("pair", { consumer: "gateway" });
    await host.client.call("adopt", { name: "main", keyId: first.id });
    return made;
  }

  readonly host: Host;
  readonly vendor: AnyLlmGateway;
  readonly bao: OpenBao;
  readonly gateway: RealGateway;

  private constructor(host: Host, vendor: AnyLlmGateway, bao: OpenBao, gateway: RealGateway) {
    this.host = host;
    this.vendor = vendor;
    this.bao = bao;
    this.gateway = gateway;
  }

  /** Starts a rotation under a key of its own, or finds the one that was started under it. */
  async rotate(key: string): Promise<number> {
    const { rotations } = await openClient(this.host.socket, key).call("rotate", { name: "main", now: true });
    const id = rotations[0]?.rotation.id;
    if (id === undefined) throw new Error("no rotation was started");
    return id;
  }

  /** The document that OpenClaw reads. */
  async stored(): Promise<Readonly<Record<string, unknown>>> {
    return (await this.bao.call("GET", `secret/data/${PATH}`)).body.data.data;
  }

  /** Names of the versions in the keep. */
  async kept(): Promise<readonly string[]> {
    const { status, body } = await this.bao.call("LIST", "secret/metadata/rotated/main");
    return status === 404 ? [] : body.data.keys;
  }

  /** Ids of all keys that the vendor knows. */
  async keys(): Promise<readonly string[]> {
    const { body } = await this.vendor.call("GET", "/v1/keys?limit=1000");
    return (body as readonly { readonly id: string }[]).map(({ id }) => id);
  }

  async stop(): Promise<void> {
    await this.host.end();
    await this.gateway.stop();
    await this.host.remove();
    await Promise.all([this.vendor.close(), this.bao.close()]);
  }
}

/** The usual file, with the key behind OpenClaw's own `vault` plugin. */
function openclawConfig(vendor: AnyLlmGateway, port: number) {
  const usual = openclawJson({ vendor: `${vendor.url}/v1`, secretFile: "/dev/null", port });
  const { openai } = usual.models.providers;
  const apiKey = { source: "exec", provider: "vault", id: `${PATH}/${FIELD}` };
  const models = [{ id: "openai:fake-1", name: "Fake 1" }];
  return {
    ...usual,
    secrets: { providers: { vault: { source: "exec", pluginIntegration: { pluginId: "vault", integrationId: "vault" } } } },
    models: { providers: { "any-llm": { ...openai, apiKey, models } } },
    agents: { defaults: { model: { primary: "any-llm/openai:fake-1" } } },
    plugins: { allow: ["vault"], entries: { vault: { enabled: true } } },
  };
}
