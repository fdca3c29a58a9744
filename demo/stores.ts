import { readFileSync, writeFileSync } from "node:fs";
import { startAwsStrict } from "../test/fakes/aws-strict.ts";
import { startMoto } from "../test/support/moto.ts";
import { startOpenBao } from "../test/support/openbao.ts";
import type { PeerName } from "./peers.ts";
import { showing } from "./screen.ts";
import type { Stage } from "./stage.ts";
import type { Vendor } from "./vendor.ts";

/** Where the key is kept, with the first one in it. */
export interface Store {
  /** What and where it is, for people. */
  readonly title: string;
  /** What stands under `stores.kept` in the configuration, and in the credential's `store` beside `use`. */
  readonly settings: object;
  readonly place: object;
  /** The file, if it is one: consumers read it themselves. From other stores they get the key by `rotatectl resolve`. */
  readonly file?: { readonly path: string; readonly field: string };
  /** The value that consumers get. */
  current(): Promise<string | undefined>;
}

interface Kind {
  readonly needs: readonly PeerName[];
  /** Puts the vendor's first key there, as an operator has. */
  open(stage: Stage, vendor: Vendor): Promise<Store>;
}

const NOTE = { note: "not of rotated, and left as it is" };

export const STORES = {
  file: { needs: [], open: file },
  vault: { needs: ["openbao"], open: vault },
  aws: { needs: ["moto"], open: aws },
} as const satisfies Readonly<Record<string, Kind>>;

export type StoreName = keyof typeof STORES;

async function file(stage: Stage, { type, key }: Vendor): Promise<Store> {
  const [path, field] = [stage.path("app/secrets.json"), `/${type}/apiKey`];
  writeFileSync(path, `${JSON.stringify({ [type]: { apiKey: key.secret } }, undefined, 2)}\n`, { mode: 0o600 });
  return {
    title: `${path}, the field ${field}`,
    settings: { type: "file" },
    place: { path, field },
    file: { path, field },
    current: async () => (JSON.parse(readFileSync(path, "utf8")) as Readonly<Record<string, { apiKey: string }>>)[type]?.apiKey,
  };
}

/** OpenBao, to which the daemon comes with a token of the policy that an operator is shown, and no other right. */
async function vault(stage: Stage, { key }: Vendor): Promise<Store> {
  const bao = await stage.hold(showing("starting OpenBao", startOpenBao()), (server) => server.close());
  const [path, field] = ["apps/openclaw", "apiKey"];
  await bao.call("POST", `secret/data/${path}`, { data: { [field]: key.secret, ...NOTE } });
  await bao.call("PUT", "sys/policies/acl/rotated", {
    policy: readFileSync(new URL("../examples/vault-policy.hcl", import.meta.url), "utf8"),
  });
  const { body } = await bao.call("POST", "auth/token/create", { policies: ["rotated"], no_default_policy: true, period: "1h" });
  const token = stage.secret("vault-token", body.auth.client_token);
  return {
    title: `a real OpenBao, ${bao.url}, secret/${path}, the field ${field}, with the rights of examples/vault-policy.hcl`,
    settings: { type: "vault", url: bao.url, auth: { token } },
    place: { path, field },
    current: async () => (await bao.call("GET", `secret/data/${path}`)).body.data.data[field],
  };
}

async function aws(stage: Stage, { key }: Vendor): Promise<Store> {
  const moto = await stage.hold(showing("starting moto", startMoto()), (server) => server.close());
  const strict = await stage.hold(startAwsStrict(moto.url), (proxy) => proxy.close());
  const { SecretsManager } = await import("@aws-sdk/client-secrets-manager");
  const credentials = { accessKeyId: "AKIACANARY0000000001", secretAccessKey: "canary-of-aws" };
  const region = "eu-central-1";
  const direct = new SecretsManager({ region, endpoint: strict.url, maxAttempts: 1, credentials });
  stage.defer(() => direct.destroy());
  const [path, field] = ["prod/openclaw", "/apiKey"];
  await direct.createSecret({ Name: path, SecretString: JSON.stringify({ apiKey: key.secret, ...NOTE }) });
  const { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey } = credentials;
  const accessKey = JSON.stringify({ Version: 1, AccessKeyId, SecretAccessKey });
  return {
    title: `AWS Secrets Manager as moto plays it, made as strict as AWS, ${strict.url}, ${path}, the field ${field}`,
    settings: { type: "aws-secrets-manager", region, endpoint: strict.url, accessKey: stage.secret("aws-access-key", accessKey) },
    place: { path, field },
    async current() {
      const { SecretString = "{}" } = await direct.getSecretValue({ SecretId: path });
      return (JSON.parse(SecretString) as { apiKey?: string }).apiKey;
    },
  };
}
