import { mkdirSync } from "node:fs";
import { type AnyLlmGateway, startAnyLlm } from "../support/any-llm.ts";
import { freePort } from "../support/free-port.ts";
import { Host } from "../support/host.ts";
import { type OpenBao, startOpenBao } from "../support/openbao.ts";
import { makeRealGateway, openclawJson, type RealGateway } from "../support/openclaw.ts";
import { credentialFiles, gatewayEntry, REAL_TIMING, RealHost } from "./real-host.ts";

const [PATH, FIELD] = ["openclaw/any-llm", "apiKey"];

/**
 * One credential `main` with no fake in the path of its key: a real any-llm gateway issues and checks it, a real OpenBao keeps it,
 * and a real OpenClaw gateway reads it there with its own `vault` plugin. The daemon is the real one.
 */
export class VaultHost extends RealHost {
  static async start(): Promise<VaultHost> {
    const [vendor, bao, port] = await Promise.all([startAnyLlm(), startOpenBao(), freePort()]);
    const host = new Host((h) => ({
      credentials: credentialFiles({ admin: vendor.masterKey, vault: bao.rootToken }),
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
        consumers: { gateway: gatewayEntry(h, port) },
        credentials: {
          main: {
            provider: "any-llm",
            store: { use: "vault", path: PATH, field: FIELD },
            consumers: [{ use: "gateway", provider: "any-llm" }],
            every: "30d",
          },
        },
        timing: REAL_TIMING,
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

  readonly vendor: AnyLlmGateway;
  readonly bao: OpenBao;
  readonly gateway: RealGateway;

  private constructor(host: Host, vendor: AnyLlmGateway, bao: OpenBao, gateway: RealGateway) {
    super(host, [gateway], [vendor, bao]);
    this.vendor = vendor;
    this.bao = bao;
    this.gateway = gateway;
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
