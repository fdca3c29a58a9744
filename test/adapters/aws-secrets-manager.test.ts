import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { SecretsManager } from "@aws-sdk/client-secrets-manager";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { awsSecretsManager } from "../../adapters/stores/aws-secrets-manager.ts";
import type { Exchange } from "../../src/contract/http.ts";
import { Secret } from "../../src/contract/secret.ts";
import { type AwsStrict, startAwsStrict } from "../fakes/aws-strict.ts";
import { moto } from "../support/moto.ts";
import { type TestWorld, testWorld } from "../support/world.ts";

const { signal } = new AbortController();
const [one, two] = [new Secret("sk-canary-one"), new Secret("sk-canary-two")];

let aws: AwsStrict;
let world: TestWorld;
let direct: SecretsManager;
let name: string;
beforeAll(async () => {
  process.env["AWS_ACCESS_KEY_ID"] = "AKIACANARY";
  process.env["AWS_SECRET_ACCESS_KEY"] = "canary-of-aws";
  aws = await startAwsStrict(await moto());
  world = await testWorld();
  direct = new SecretsManager({ region: "eu-central-1", endpoint: aws.url, maxAttempts: 1 });
});
afterAll(async () => {
  direct.destroy();
  await aws.close();
  await world.close();
});
beforeEach(async () => {
  name = `prod/${randomUUID()}`;
});

function store(field?: string, exchange: Exchange = world.exchange) {
  const settings = awsSecretsManager.settings.parse({ region: "eu-central-1", endpoint: aws.url });
  const place = awsSecretsManager.place.parse({ path: name, ...(field && { field }) });
  return awsSecretsManager.connect(settings, place, { credential: "prod" }, { ...world, exchange });
}

const make = (text: string) => direct.createSecret({ Name: name, SecretString: text });
const current = async () => (await direct.getSecretValue({ SecretId: name, VersionStage: "AWSCURRENT" })).SecretString;

/** Which labels are on one version each, ours by their first word. */
async function labels(): Promise<readonly (readonly string[])[]> {
  const { VersionIdsToStages = {} } = await direct.describeSecret({ SecretId: name });
  return Object.values(VersionIdsToStages)
    .map((stages) => stages.map((stage) => (stage.startsWith("AWS") ? stage : "ours")).sort())
    .sort((a, b) => a.join().localeCompare(b.join()));
}

/** The calls that `work` makes, by their names. */
async function calls(work: () => Promise<unknown>): Promise<readonly string[]> {
  const from = aws.actions.length;
  await work();
  return aws.actions.slice(from);
}

async function adopted(): Promise<void> {
  await make(one.reveal());
  await store().stage("v1", one, signal);
}

test("a JSON secret with a field twice is refused before anything is made: the first would be edited, and the last is read", async () => {
  for (const text of ['{"k":"sk-canary-old","k":"sk-canary-one"}', '{"a":{"k":"sk-canary-old"},"a":{"k":"sk-canary-one"}}']) {
    name = `prod/${randomUUID()}`;
    await make(text);
    const twice = store(text.includes('"a"') ? "/a/k" : "/k");
    await expect(twice.preflight(signal)).rejects.toMatchObject({ code: "misconfigured", message: expect.stringContaining("twice") });
    await expect(twice.stage("v1", two, signal)).rejects.toMatchObject({ code: "misconfigured" });
    expect(await current()).toBe(text);
  }
});

test("a merged value is not written over somebody else's AWSPENDING", async () => {
  await make('{"k":"sk-canary-one"}');
  await store("/k").stage("v1", one, signal);
  await store("/k").stage("v2", two, signal);
  const theirs = randomUUID();
  await direct.putSecretValue({
    SecretId: name,
    SecretString: '{"k":"theirs"}',
    ClientRequestToken: theirs,
    VersionStages: ["AWSPENDING"],
  });
  await direct.putSecretValue({ SecretId: name, SecretString: '{"k":"sk-canary-one","more":"1"}', VersionStages: ["AWSCURRENT"] });
  await expect(store("/k").promote("v2", "v1", signal)).rejects.toMatchObject({ code: "misconfigured" });
  const { VersionIdsToStages = {} } = await direct.describeSecret({ SecretId: name });
  expect(VersionIdsToStages[theirs]).toEqual(["AWSPENDING"]);
});

describe("what other tools see", () => {
  test("AWSPENDING stands beside our label while a version is staged, and is gone after the promotion", async () => {
    await make(one.reveal());
    await store().stage("v1", one, signal);
    await store()
      .promote("v1", undefined, signal)
      .catch(() => undefined);
    await store().stage("v2", two, signal);
    expect((await labels()).filter((stages) => stages.includes("AWSPENDING"))).toEqual([["AWSPENDING", "ours"]]);
    expect(await current(), "nobody is served the staged value").toBe(one.reveal());
    await store().promote("v2", "v1", signal);
    expect((await labels()).flat()).not.toContain("AWSPENDING");
    expect(await current()).toBe(two.reveal());
  });

  test("a version that was only staged and is dropped keeps no label", async () => {
    await adopted();
    await store().stage("v2", two, signal);
    await store().discard("v2", signal);
    expect((await labels()).flat()).not.toContain("AWSPENDING");
    expect(await current()).toBe(one.reveal());
  });
});

describe("how often a value is written", () => {
  test("a whole string: once for a rotation, label moves apart", async () => {
    await adopted();
    const made = await calls(async () => {
      await store().stage("v2", two, signal);
      await store().promote("v2", "v1", signal);
      await store().discard("v1", signal);
    });
    expect(made.filter((action) => action === "PutSecretValue")).toHaveLength(1);
  });

  test("a field of a JSON secret: twice when another field changed meanwhile, and its new value stays", async () => {
    await make(JSON.stringify({ openai: one.reveal(), other: "before" }));
    const field = store("/openai");
    await field.stage("v1", one, signal);
    await field.stage("v2", two, signal);
    await direct.putSecretValue({ SecretId: name, SecretString: JSON.stringify({ openai: one.reveal(), other: "after" }) });
    const made = await calls(() => field.promote("v2", "v1", signal));
    expect(made.filter((action) => action === "PutSecretValue")).toHaveLength(1);
    expect(JSON.parse((await current()) ?? "")).toEqual({ openai: two.reveal(), other: "after" });
  });
});

describe("somebody else", () => {
  test("who writes between our read and our move is not overwritten", async () => {
    await adopted();
    await store().stage("v2", two, signal);
    let written = false;
    const meddling: Exchange = async (request) => {
      if (!written && String(request.headers["x-amz-target"]).endsWith("UpdateSecretVersionStage")) {
        written = true;
        await direct.putSecretValue({ SecretId: name, SecretString: "sk-canary-stranger" });
      }
      return world.exchange(request);
    };
    await expect(store(undefined, meddling).promote("v2", "v1", signal)).rejects.toMatchObject({ code: "inconclusive" });
    expect(written).toBe(true);
    expect(await current()).toBe("sk-canary-stranger");
  });

  test.each([
    ["a secret that is scheduled for deletion", async () => void (await direct.deleteSecret({ SecretId: name }))],
    [
      "a version that waits under AWSPENDING",
      async () => void (await direct.putSecretValue({ SecretId: name, SecretString: "theirs", VersionStages: ["AWSPENDING"] })),
    ],
  ])("preflight refuses %s", async (_, meddle) => {
    await make(one.reveal());
    await meddle();
    await expect(store().preflight(signal)).rejects.toMatchObject({ code: "misconfigured", retry: false });
  });
});

test("throttling is a limit that lifts by itself", async () => {
  await make(one.reveal());
  aws.throttle(1);
  await expect(store().read("current", signal)).rejects.toMatchObject({ code: "rateLimited", retry: true });
  expect((await store().read("current", signal))?.reveal()).toBe(one.reveal());
});

test("a value that AWS would not take is refused, and nothing is lost", async () => {
  await adopted();
  await expect(store().stage("v2", new Secret("x".repeat(65_537)), signal)).rejects.toMatchObject({ code: "invalid" });
  expect(await current()).toBe(one.reveal());
});

test("the shipped policy allows what a rotation asks for, and no more", async () => {
  await make(one.reveal());
  const made = await calls(async () => {
    await store().preflight(signal);
    await store().stage("v1", one, signal);
    await store().stage("v2", two, signal);
    await store().promote("v2", "v1", signal);
    await store().read("current", signal);
    await store().discard("v1", signal);
  });
  const policy = JSON.parse(await readFile(new URL("../../examples/aws-policy.json", import.meta.url), "utf8")) as {
    Statement: readonly { Action: readonly string[] }[];
  };
  const allowed = policy.Statement.flatMap(({ Action }) => Action);
  expect(new Set(allowed)).toEqual(new Set(made.map((action) => `secretsmanager:${action}`)));
});

test("no error holds a secret, nor AWS's own words", async () => {
  await adopted();
  const errors = await Promise.all([
    store()
      .promote("v9", "v1", signal)
      .catch((error: unknown) => error),
    store()
      .stage("v1", two, signal)
      .catch((error: unknown) => error),
  ]);
  for (const error of errors) {
    expect(error).toBeInstanceOf(Error);
    expect(
      `${(error as Error).message} ${(error as Error).stack} ${JSON.stringify(error)} ${String((error as Error).cause)}`,
    ).not.toContain("canary");
  }
});
