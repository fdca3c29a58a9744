import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import type { STORES } from "../../adapters/stores/index.ts";
import { startAwsStrict } from "../fakes/aws-strict.ts";
import type { Host } from "../support/host.ts";
import { startMoto } from "../support/moto.ts";
import { type OpenBao, startOpenBao } from "../support/openbao.ts";

/** The primary store of one run, as the daemon's configuration names it, and what a consumer reads there. */
export interface PlugStore {
  readonly settings: Readonly<Record<string, unknown>>;
  readonly place: Readonly<Record<string, unknown>>;
  readonly env: Readonly<Record<string, string>>;
  /** Puts the first key there, as an operator would. */
  begin(secret: string): Promise<void>;
  current(): Promise<string | undefined>;
  /** What the store shows people beside the value, as it must be when a rotation has ended; left out where it shows nothing. */
  expectTidy?(): Promise<void>;
  close(): Promise<void>;
}

export type PlugStoreName = keyof typeof PLUG_STORES;

export const PLUG_STORES = {
  file: fileStore,
  vault: vaultStore,
  "aws-secrets-manager": awsStore,
} as const satisfies Partial<Record<keyof typeof STORES, (host: Host) => Promise<PlugStore>>>;

async function fileStore(host: Host): Promise<PlugStore> {
  const path = host.path("key");
  return {
    settings: { type: "file" },
    place: { path },
    env: {},
    begin: async (secret) => host.write("key", secret),
    current: async () => readFileSync(path, "utf8"),
    close: async () => {},
  };
}

/** One server for all runs of a file; each has a mount of its own. It ends with the process. */
let bao: Promise<OpenBao> | undefined;

async function vaultStore(host: Host): Promise<PlugStore> {
  bao ??= startOpenBao();
  const server = await bao;
  const mount = randomUUID();
  await server.call("POST", `sys/mounts/${mount}`, { type: "kv", options: { version: "2" } });
  host.write("vault-token", server.rootToken);
  const path = `${mount}/data/apps/main`;
  return {
    settings: { type: "vault", url: server.url, mount, auth: { token: { file: host.path("vault-token") } } },
    place: { path: "apps/main", field: "key" },
    env: {},
    async begin(secret) {
      // For a moment after it is mounted the engine upgrades itself, and takes nothing.
      const put = () => server.call("POST", path, { data: { key: secret, note: "not ours" } });
      while ((await put()).status !== 200) await sleep(25);
    },
    current: async () => (await server.call("GET", path)).body.data.data.key,
    async expectTidy() {
      const notes = (await server.call("GET", `${mount}/metadata/apps/main`)).body.data.custom_metadata;
      const { keys } = (await server.call("GET", `${mount}/metadata/rotated/main?list=true`)).body.data;
      expect(
        keys.map((version: string) => `rotated ${version}`),
        "the note names the version that is kept",
      ).toEqual([notes.main]);
    },
    close: async () => void (await server.call("DELETE", `sys/mounts/${mount}`)),
  };
}

/** One of its own: the shared one checks signatures while the fake of AWS's access keys uses it. It ends with the process. */
let secrets: ReturnType<typeof startMoto> | undefined;

async function awsStore(): Promise<PlugStore> {
  const { SecretsManager } = await import("@aws-sdk/client-secrets-manager");
  secrets ??= startMoto();
  const aws = await startAwsStrict((await secrets).url);
  const env = { AWS_ACCESS_KEY_ID: "AKIACANARY", AWS_SECRET_ACCESS_KEY: "canary-of-aws" };
  const credentials = { accessKeyId: env.AWS_ACCESS_KEY_ID, secretAccessKey: env.AWS_SECRET_ACCESS_KEY };
  const direct = new SecretsManager({ region: "eu-central-1", endpoint: aws.url, maxAttempts: 5, credentials });
  const path = `kill/${randomUUID()}`;
  return {
    settings: { type: "aws-secrets-manager", region: "eu-central-1", endpoint: aws.url },
    place: { path },
    env,
    begin: async (secret) => void (await direct.createSecret({ Name: path, SecretString: secret })),
    current: async () => (await direct.getSecretValue({ SecretId: path, VersionStage: "AWSCURRENT" })).SecretString,
    async expectTidy() {
      const { VersionIdsToStages = {} } = await direct.describeSecret({ SecretId: path });
      expect(Object.values(VersionIdsToStages).flat(), "nothing is announced to people").not.toContain("AWSPENDING");
    },
    async close() {
      direct.destroy();
      await aws.close();
    },
  };
}
