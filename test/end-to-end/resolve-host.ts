import { mkdirSync } from "node:fs";
import { z } from "zod";
import { settings, use } from "../../adapters/consumers/openclaw/settings.ts";
import { degradation } from "../../adapters/consumers/openclaw/views.ts";
import { activeValues } from "../../adapters/openclaw/active.ts";
import { openGateway } from "../../adapters/openclaw/gateway.ts";
import { type AwsStrict, startAwsStrict } from "../fakes/aws-strict.ts";
import type { FakeOpenAi } from "../fakes/openai.ts";
import { freePort } from "../support/free-port.ts";
import { Host } from "../support/host.ts";
import { moto } from "../support/moto.ts";
import { makeRealGateway, openclawJson, type RealGateway } from "../support/openclaw.ts";
import { rotatectl } from "../support/rotatectl.ts";
import { testWorld } from "../support/world.ts";
import { credentialFiles, gatewayEntry, openAiEntry, REAL_TIMING, RealHost, startPacedOpenAi } from "./real-host.ts";

const [SECRET, FIELD] = ["prod/openclaw", "/openai/apiKey"];
const AWS = { region: "eu-central-1", credentials: { accessKeyId: "AKIACANARY", secretAccessKey: "canary-of-aws" } };

/**
 * One credential `main` of the OpenAI fake, kept in AWS Secrets Manager (moto behind the strict double), which a REAL OpenClaw
 * gateway reads through the wrapper that `rotatectl resolve --install` wrote. The daemon is the real one.
 */
export class ResolveHost extends RealHost {
  static async start(): Promise<ResolveHost> {
    const [vendor, port] = await Promise.all([startPacedOpenAi(), freePort()]);
    const aws = await startAwsStrict(await moto());
    const host = new Host((h) => ({
      credentials: credentialFiles({ admin: vendor.admin.secret }),
      env: { AWS_ACCESS_KEY_ID: AWS.credentials.accessKeyId, AWS_SECRET_ACCESS_KEY: AWS.credentials.secretAccessKey },
      config: {
        // Of our /tmp the gateway sees its own directory only.
        resolveSocket: h.path("openclaw/resolve.sock"),
        providers: { openai: openAiEntry(h, vendor, "admin") },
        stores: { aws: { type: "aws-secrets-manager", region: AWS.region, endpoint: aws.url } },
        consumers: { gateway: gatewayEntry(h, port, { callTimeout: "45s" }) },
        credentials: {
          main: {
            provider: "openai",
            store: { use: "aws", path: SECRET, field: FIELD },
            consumers: [{ use: "gateway", provider: "openai" }],
            resolve: [{ user: process.getuid?.() ?? 0 }],
            every: "30d",
          },
        },
        // A busy machine alone is nothing to call a person for.
        timing: { ...REAL_TIMING, callTimeout: "10s", reloadSettle: "20s", drainLimit: "4m", tellAfter: "4m" },
      },
    }));
    const { SecretsManager } = await import("@aws-sdk/client-secrets-manager");
    const direct = new SecretsManager({ ...AWS, endpoint: aws.url, maxAttempts: 1 });
    await direct.createSecret({ Name: SECRET, SecretString: JSON.stringify({ openai: { apiKey: vendor.key.secret }, note: "not ours" }) });

    mkdirSync(host.path("openclaw"), { mode: 0o700 });
    const pasted = await installWrapper(host);
    const gateway = await makeRealGateway(openclawConfig(vendor.url, port, pasted), host.path("openclaw"));
    const made = new ResolveHost(host, vendor, gateway, aws, async () => {
      const { SecretString = "{}" } = await direct.getSecretValue({ SecretId: SECRET });
      return JSON.parse(SecretString);
    });
    // As `After=rotated.service` has it: a gateway that starts before the daemon answers has no key.
    await host.start();
    await gateway.start();
    await host.client.call("pair", { consumer: "gateway" });
    await host.client.call("adopt", { name: "main" });
    return made;
  }

  readonly vendor: FakeOpenAi;
  readonly gateway: RealGateway;
  /** The document in AWS. */
  readonly stored: () => Promise<{ readonly openai: { readonly apiKey: string }; readonly note: string }>;

  private constructor(host: Host, vendor: FakeOpenAi, gateway: RealGateway, aws: AwsStrict, stored: ResolveHost["stored"]) {
    super(host, [gateway], [vendor, aws]);
    this.vendor = vendor;
    this.gateway = gateway;
    this.stored = stored;
  }

  /** Reloads the gateway past the daemon, as an operator could; how it stands with its key then, and which one it has. */
  async reloadGateway(): Promise<{ readonly degraded: string | undefined; readonly key: string | undefined }> {
    const world = await testWorld({ overrides: { stateDirectory: this.host.path("state") } });
    const setup = {
      name: "gateway",
      settings: settings.parse({ url: this.gateway.url, callTimeout: "60s" }),
      use: use.parse({ provider: "openai" }),
      world,
    };
    const signal = AbortSignal.timeout(120_000);
    try {
      using gateway = await openGateway(setup, signal);
      await gateway.call("secrets.reload", {}, z.unknown());
      const degraded = await degradation(gateway, setup, signal);
      const [active] = await activeValues(gateway, ["models.providers.openai.apiKey"]);
      return { degraded: degraded?.cause, key: active?.value.reveal() };
    } finally {
      await world.close();
    }
  }

  /** The program that the gateway runs for its key. */
  get wrapper(): string {
    return wrapperOf(this.host);
  }

  async installWrapper(): Promise<void> {
    await installWrapper(this.host);
  }
}

const wrapperOf = (host: Host) => host.path("openclaw/rotated-resolve");

/** What the operator does as the account of the gateway, and gets to paste. */
async function installWrapper(host: Host): Promise<Pasted> {
  const { code, stdout, stderr } = await rotatectl(
    "",
    "--socket",
    host.path("openclaw/resolve.sock"),
    "resolve",
    "--install",
    wrapperOf(host),
  );
  if (code !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}

interface Pasted {
  readonly secrets: { readonly providers: Readonly<Record<string, { source: "exec"; command: string }>> };
  readonly models: {
    readonly providers: { readonly openai: { auth: "api-key"; apiKey: { source: "exec"; provider: string; id: string } } };
  };
}

/** The usual file with what `--install` printed merged into it, and the name of the credential put right. */
function openclawConfig(vendor: string, port: number, { secrets, models }: Pasted) {
  const usual = openclawJson({ vendor, secretFile: "/dev/null", port });
  const { openai } = models.providers;
  return {
    ...usual,
    secrets,
    models: { providers: { openai: { ...usual.models.providers["openai"], ...openai, apiKey: { ...openai.apiKey, id: "main" } } } },
  };
}
