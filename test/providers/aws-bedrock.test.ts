import { readFile } from "node:fs/promises";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { awsBedrock } from "../../providers/aws-bedrock.ts";
import { AdapterError } from "../../src/contract/errors.ts";
import { Secret } from "../../src/contract/secret.ts";
import { MODEL } from "../fakes/aws-bedrock/inference.ts";
import { type FakeBedrock, startFakeBedrock } from "../fakes/aws-bedrock.ts";
import { type TestWorld, testWorld } from "../support/world.ts";

const { signal } = new AbortController();
const USER = "bedrock-user";
const DAY_MS = 86_400_000;
const label = "rotated-bedrock-1";
const good = { region: "eu-central-1", user: USER, accessKey: { credential: "admin" } };
let fake: FakeBedrock;
let world: TestWorld;

beforeAll(async () => {
  fake = await startFakeBedrock([USER]);
  const { AccessKeyId } = JSON.parse(fake.admin);
  const wrong = JSON.stringify({ Version: 1, AccessKeyId, SecretAccessKey: "canary-of-somebody-else" });
  const unknown = JSON.stringify({ AccessKeyId: "AKIACANARYNOBODY0000", SecretAccessKey: "canary" });
  world = await testWorld({ secrets: { admin: fake.admin, reader: fake.reader, wrong, unknown, text: "canary-no-document" } });
});
afterEach(() => {
  fake.reset();
  fake.vendor.clear();
});
afterAll(async () => {
  await world.close();
  await fake.close();
});

function connect(settings: object = {}, overrides: Partial<TestWorld> = {}): ReturnType<typeof awsBedrock.connect> {
  const all = { ...good, endpoint: fake.url, inferenceUrl: fake.url, ...settings };
  return awsBedrock.connect(awsBedrock.settings.parse(all), { ...world, ...overrides });
}

const errorOf = (call: Promise<unknown>) =>
  call.then(
    () => undefined,
    (error: unknown) => error as AdapterError,
  );

describe("settings", () => {
  it.each([
    [{ user: "arn:aws:iam::123456789012:user/x" }, "user"],
    [{ region: "Frankfurt" }, "region"],
    [{ expiresIn: "36h" }, "expiresIn"],
    [{ expiresIn: "36601d" }, "expiresIn"],
    [{ verify: { by: "converse" } }, "verify.model"],
    [{ verify: { by: "models", model: MODEL } }, "verify.model"],
    [{ accessKey: "AKIA" }, "accessKey"],
    [{ assumeRole: "admin" }, "assumeRole"],
  ])("%j points at the field", (settings, field) => {
    const problems = awsBedrock.settings.safeParse({ ...good, ...settings }).error?.issues;
    expect(problems?.map(({ path }) => path.join("."))).toEqual([field]);
  });

  it("say how long a key lives, and that the account is shared unless it is said otherwise", () => {
    const parsed = awsBedrock.settings.parse({ ...good, expiresIn: "90d" });
    expect(awsBedrock.describe(parsed).keyLifetimeMs).toBe(90 * DAY_MS);
    expect(awsBedrock.unlabelled?.(parsed)).toEqual({ exclusive: false });
    expect(awsBedrock.places).toBe(2);
  });
});

describe("the end of a key", () => {
  it("is carried over from the key that it replaces", async () => {
    const provider = connect();
    fake.vendor.addKey(USER, 45);
    const [like] = await provider.list(signal);
    const made = await provider.create({ label, ...(like && { like }) }, signal);
    expect(Number(made.expiresAt) - made.createdAt.getTime()).toBe(45 * DAY_MS);
  });

  it("is what the setting says, whatever the old key has", async () => {
    fake.vendor.addKey(USER, 45);
    const [like] = await connect().list(signal);
    const made = await connect({ expiresIn: "7d" }).create({ label, ...(like && { like }) }, signal);
    expect(Number(made.expiresAt) - made.createdAt.getTime()).toBe(7 * DAY_MS);
  });

  it("is none where neither has one", async () => {
    expect(await connect().create({ label }, signal)).not.toHaveProperty("expiresAt");
  });
});

describe("list", () => {
  it("shows an inactive and an expired key: each takes a place", async () => {
    const [off, over] = [fake.vendor.addKey(USER), fake.vendor.addKey(USER, 1)];
    fake.vendor.setActive(off, false);
    Object.assign(over, { expiresAt: Date.now() - 1000 });
    expect((await connect().list(signal)).map(({ id, enabled }) => [id, enabled])).toEqual([
      [off.id, false],
      [over.id, false],
    ]);
    expect(fake.log).toHaveLength(2);
  });

  it("of a page that leads nowhere ends", async () => {
    const reply = (rest: string) =>
      `<ListServiceSpecificCredentialsResponse><ListServiceSpecificCredentialsResult>${rest}</ListServiceSpecificCredentialsResult></ListServiceSpecificCredentialsResponse>`;
    const answering = (rest: string) =>
      connect({}, { exchange: async () => ({ status: 200, headers: {}, body: Buffer.from(reply(rest)) }) });
    const empty = "<ServiceSpecificCredentials/>";
    expect(await answering(`${empty}<IsTruncated>false</IsTruncated>`).list(signal)).toEqual([]);
    for (const rest of [`${empty}<IsTruncated>true</IsTruncated><Marker>m</Marker>`, `${empty}<IsTruncated>true</IsTruncated>`, ""])
      expect(await errorOf(answering(rest).list(signal)), rest).toMatchObject({ code: "malformed" });
  });
});

it("a third key is refused as having no room: that can pass, and nothing was made", async () => {
  fake.vendor.addKey(USER);
  fake.vendor.addKey(USER);
  const error = await errorOf(connect().create({ label }, signal));
  expect(error).toMatchObject({ code: "full", retry: true, answered: true, hint: expect.stringContaining("delete a key") });
  expect(fake.log).toHaveLength(1);
});

describe("identify", () => {
  it("knows a key by the alias that its secret holds, and nothing by less", async () => {
    const [first, second] = [fake.vendor.addKey(USER), fake.vendor.addKey(USER)];
    const provider = connect();
    expect((await provider.identify(new Secret(first.secret), signal))?.id).toBe(first.id);
    expect((await provider.identify(new Secret(second.secret), signal))?.id).toBe(second.id);
    const shorter = Buffer.from(`${first.alias.slice(0, -1)}:canary-and-so-on-and-so-on`).toString("base64");
    for (const secret of [`ABSK${shorter}`, first.alias, "ABSK", second.secret.slice(4)])
      expect(await provider.identify(new Secret(secret), signal), secret).toBeUndefined();
  });
});

describe("verify", () => {
  const asked = { models: "GET /foundation-models", converse: `POST /model/${encodeURIComponent(MODEL)}/converse` } as const;

  it.each([{ by: "models" }, { by: "converse", model: MODEL }] as const)("%j makes this one call", async (verify) => {
    const key = fake.vendor.addKey(USER);
    expect(await connect({ verify }).verify(new Secret(key.secret), signal)).toBe("accepted");
    expect(fake.log.map(({ what }) => what)).toEqual([asked[verify.by]]);
  });

  it.each([
    ["models", undefined, "https://bedrock.eu-central-1.amazonaws.com/foundation-models"],
    ["converse", "eu.fake-1:0", "https://bedrock-runtime.eu-central-1.amazonaws.com/model/eu.fake-1%3A0/converse"],
  ])("by %s it asks the region", async (by, model, url) => {
    const urls: string[] = [];
    const http: TestWorld["http"] = (address) => Promise.reject(urls.push(address) && new AdapterError("unreachable", "not here"));
    const provider = connect({ inferenceUrl: undefined, verify: { by, ...(model && { model }) } }, { http });
    await expect(provider.verify(new Secret("ABSKcanary"), signal)).rejects.toMatchObject({ code: "unreachable" });
    expect(urls).toEqual([url]);
  });

  it.each([
    ["switched off", "refused", (id: string) => fake.vendor.setActive(fake.vendor.key(id), false)],
    ["expired", "refused", (id: string) => Object.assign(fake.vendor.key(id), { expiresAt: Date.now() - 1 })],
    ["deleted", "refused", () => fake.vendor.clear()],
    ["not known yet", "refused", () => Object.assign(fake.vendor.lags, { newKeyMs: 3_600_000 })],
    [
      "deleted, and Bedrock does not know it yet",
      "accepted",
      () => Object.assign(fake.vendor.lags, { revokedMs: 1e9 }) && fake.vendor.clear(),
    ],
    ["denied by policy", "limited", (id: string) => Object.assign(fake.vendor.key(id), { denied: true })],
  ])("of a key that is %s says %s", async (_, verdict, happens) => {
    const { id, secret } = fake.vendor.addKey(USER);
    happens(id);
    expect(await connect().verify(new Secret(secret), signal)).toBe(verdict);
  });

  it.each([
    [403, { message: "The security token included in the request is invalid." }],
    [401, { Message: "The API key you provided is not valid" }],
    [403, { __type: "com.amazon.coral.service#UnrecognizedClientException", message: "no" }],
    [400, { code: "InvalidClientTokenId" }],
  ])("takes AWS's other words for an unknown key for a refusal: %i %j", async (status, body) => {
    const { secret } = fake.vendor.addKey(USER);
    fake.faults.add({ times: 1, fault: { do: "reply", status, body } });
    expect(await connect().verify(new Secret(secret), signal)).toBe("refused");
  });

  it.each([
    "The API key is not authorized: the model is invalid",
    "You don't have access to what this API key asks: the API key is invalid here",
  ])("takes what it may not do for no refusal, whatever else is said: %s", async (message) => {
    const { secret } = fake.vendor.addKey(USER);
    fake.faults.add({ times: 1, fault: { do: "reply", status: 403, body: { message } } });
    expect(await connect().verify(new Secret(secret), signal)).toBe("limited");
  });

  it("takes no sentence that it does not know for an answer", async () => {
    const { secret } = fake.vendor.addKey(USER);
    for (const body of [
      { Message: "Access denied for a reason of its own" },
      { message: "The API key was seen" },
      { message: "The security token included in the request is expired" },
      { Message: 7 },
    ]) {
      fake.faults.add({ times: 1, fault: { do: "reply", status: 403, body } });
      expect(await errorOf(connect().verify(new Secret(secret), signal))).toMatchObject({ code: "inconclusive" });
    }
  });

  it("of a model that there is not says so, and no verdict", async () => {
    const { secret } = fake.vendor.addKey(USER);
    const error = await errorOf(connect({ verify: { by: "converse", model: "other" } }).verify(new Secret(secret), signal));
    expect(error).toMatchObject({ code: "invalid" });
  });
});

describe("who signs", () => {
  it.each([
    ["reader", "forbidden"],
    ["unknown", "unauthorized"],
    ["wrong", "unauthorized"],
    ["text", "misconfigured"],
  ])("%s: %s, and nothing of the key in any word", async (credential, code) => {
    const error = await errorOf(connect({ accessKey: { credential } }).create({ label }, signal));
    expect(error).toMatchObject({ code, answered: true, retry: false });
    expect(`${error?.stack} ${error?.hint} ${JSON.stringify(error)} ${String(error?.cause)}`).not.toContain("canary");
    expect(fake.vendor.of(USER)).toEqual([]);
  });

  it("is asked for anew: an access key that was rotated signs the next call", async () => {
    let current = fake.vendor.addCaller();
    const provider = connect({}, { secret: async () => new Secret(current) });
    await provider.list(signal);
    fake.vendor.removeCaller(JSON.parse(current).AccessKeyId);
    expect(await errorOf(provider.list(signal))).toMatchObject({ code: "unauthorized" });
    current = fake.admin;
    expect(await provider.list(signal)).toEqual([]);
  });
});

it("a user that is not there makes no key look gone", async () => {
  const { id } = fake.vendor.addKey(USER);
  const elsewhere = connect({ user: "nobody" });
  await expect(elsewhere.revoke(id, signal)).rejects.toMatchObject({ code: "notFound" });
  await expect(elsewhere.list(signal)).rejects.toMatchObject({ code: "notFound" });
  expect(fake.vendor.key(id).deletedAt).toBeNull();
});

it("a single 404 of a balancer makes no key look gone that is there", async () => {
  const { id } = fake.vendor.addKey(USER);
  fake.faults.add({ path: "/DeleteServiceSpecificCredential$", times: 1, fault: { do: "html", status: 404 } });
  expect(await errorOf(connect().revoke(id, signal))).toMatchObject({ code: "malformed", retry: true });
  expect(fake.vendor.key(id).deletedAt).toBeNull();
});

it("the shipped policy allows what a rotation asks for, and no more", async () => {
  const provider = connect();
  const { id, secret } = await provider.create({ label }, signal);
  await provider.identify(secret, signal);
  await provider.setEnabled(id, false, signal);
  await provider.revoke(id, signal);
  await provider.revoke(id, signal);
  const made = new Set(fake.log.map(({ what }) => `iam:${what}`));
  const policy = JSON.parse(await readFile(new URL("../../examples/aws-bedrock-policy.json", import.meta.url), "utf8")) as {
    Statement: readonly { Action: readonly string[] }[];
  };
  expect(made).toEqual(new Set(policy.Statement.flatMap(({ Action }) => Action)));
});
