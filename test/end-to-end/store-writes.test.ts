import { randomUUID } from "node:crypto";
import { watch } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { SecretsManager } from "@aws-sdk/client-secrets-manager";
import { afterEach, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { vault } from "../../adapters/stores/vault.ts";
import { type AwsStrict, startAwsStrict } from "../fakes/aws-strict.ts";
import { FAKE_VENDORS, type FakeVendor } from "../fakes/index.ts";
import { PlugHost, type Setup } from "../kill/plug-host.ts";
import type { PlugStore } from "../kill/plug-stores.ts";
import { moto } from "../support/moto.ts";

let vendor: FakeVendor | undefined;
let host: PlugHost | undefined;
afterEach(async () => {
  await host?.close();
  await vendor?.close();
});

/** A daemon with one adopted credential; from here on, writes count. */
async function open(store: Setup["store"], timing: object = {}): Promise<PlugHost> {
  vendor = await FAKE_VENDORS.openai();
  host = await PlugHost.make({ provider: "openai", vendor, store, watched: ["store"], timing });
  await host.open(undefined);
  host.arm();
  return host;
}

async function rotate({ host }: PlugHost, meanwhile: (id: number) => Promise<void> = async () => {}): Promise<string> {
  const { id } = await host.rotate("main");
  await meanwhile(id);
  const { outcome, lastError } = await host.settled(id);
  expect(outcome, lastError?.message).toBe("done");
  const { current } = await host.show("main");
  return current?.label ?? "";
}

describe("a rotation writes the current value once, and the keep once", () => {
  test("file", async () => {
    const made = await open("file");
    const renames: string[] = [];
    const watcher = watch(made.host.directory, (event, name) => {
      if (event === "rename" && name !== null) renames.push(name);
    });
    try {
      const label = await rotate(made);
      // The dead key's file goes last: when that was seen, so was all before it.
      await expect.poll(() => renames.filter((name) => /^\.key\./.test(name) && !name.endsWith("probe")).length).toBeGreaterThanOrEqual(2);
      const times = (which: (name: string) => boolean) => renames.filter(which).length;
      expect(times((name) => name === "key")).toBe(1);
      expect(times((name) => name.endsWith(`.${label}`))).toBe(1);
    } finally {
      watcher.close();
    }
  });

  test("vault", async () => {
    const made = await open("vault");
    const { stores } = parse(made.host.read("rotated.yaml"));
    const { url, mount, keep } = vault.settings.parse(withoutType(stores.kept));
    const versionOf = async (path: string): Promise<number | undefined> => {
      const headers = { "x-vault-token": made.host.read("vault-token") };
      const reply = await fetch(`${url}/v1/${mount}/metadata/${path}`, { headers });
      return reply.ok ? ((await reply.json()) as { data: { current_version: number } }).data.current_version : undefined;
    };
    const before = (await versionOf("apps/main")) ?? 0;
    const label = await rotate(made);
    expect(await versionOf("apps/main")).toBe(before + 1);
    expect(await versionOf(`${keep}/main/${label}`)).toBe(1);
  });
});

const withoutType = ({ type: _, ...settings }: Readonly<Record<string, unknown>>) => settings;

describe("a rotation writes a value to AWS", () => {
  test("once, where it is the whole string: the rest are labels that move", async () => {
    const secret = await inAws({ isWhole: true });
    const made = await open(secret.store);
    const before = await secret.versions();
    await rotate(made);
    expect((await secret.versions()) - before).toBe(1);
  });

  test("once, where it is a field and nobody changed another one meanwhile", async () => {
    const secret = await inAws({ isWhole: false });
    const made = await open(secret.store);
    const before = await secret.versions();
    await rotate(made);
    expect((await secret.versions()) - before).toBe(1);
  });

  test("twice, where it is a field and somebody did, whose change stays", async () => {
    const secret = await inAws({ isWhole: false });
    // Long enough between the new version and its promotion to change something there.
    const made = await open(secret.store, { verify: { times: 2, over: "3s", deadline: "20s" } });
    const before = await secret.versions();
    await rotate(made, async (id) => {
      for (let step = ""; step !== "verify"; await sleep(20)) {
        const { rotation } = await made.host.client.call("watch", { id, after: 0, waitMs: 0 });
        ({ step } = rotation);
      }
      await secret.change("after");
    });
    expect((await secret.versions()) - before, "two of ours, and that of somebody else").toBe(3);
    expect(await secret.other()).toBe("after");
  });
});

/**
 * A secret at AWS. Its versions count the values that were written: a version is immutable, and a call that names one
 * that is there with the value that it has writes nothing, which is how a preflight asks whether it may write.
 */
async function inAws({ isWhole }: { readonly isWhole: boolean }) {
  const aws: AwsStrict = await startAwsStrict(await moto());
  const env = { AWS_ACCESS_KEY_ID: "AKIACANARY", AWS_SECRET_ACCESS_KEY: "canary-of-aws" };
  const credentials = { accessKeyId: env.AWS_ACCESS_KEY_ID, secretAccessKey: env.AWS_SECRET_ACCESS_KEY };
  const direct = new SecretsManager({ region: "eu-central-1", endpoint: aws.url, maxAttempts: 1, credentials });
  const path = `writes/${randomUUID()}`;
  const text = async () => (await direct.getSecretValue({ SecretId: path })).SecretString ?? "";
  const fields = async () => JSON.parse(await text()) as Readonly<Record<string, string>>;
  const store = async (): Promise<PlugStore> => ({
    settings: { type: "aws-secrets-manager", region: "eu-central-1", endpoint: aws.url },
    place: isWhole ? { path } : { path, field: "/openai" },
    env,
    async begin(secret) {
      await direct.createSecret({ Name: path, SecretString: isWhole ? secret : JSON.stringify({ openai: secret, other: "before" }) });
    },
    current: async () => (isWhole ? await text() : (await fields())["openai"]),
    async close() {
      direct.destroy();
      await aws.close();
    },
  });
  return {
    store,
    other: async () => (await fields())["other"],
    /** Writes another field, as its owner does. */
    async change(other: string) {
      await direct.putSecretValue({ SecretId: path, SecretString: JSON.stringify({ ...(await fields()), other }) });
    },
    async versions(): Promise<number> {
      const { Versions = [] } = await direct.listSecretVersionIds({ SecretId: path, IncludeDeprecated: true });
      return Versions.length;
    },
  };
}
