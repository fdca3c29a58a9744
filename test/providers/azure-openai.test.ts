import { execFileSync } from "node:child_process";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { azureOpenAi } from "../../providers/azure-openai.ts";
import type { VendorKey } from "../../src/contract/provider.ts";
import { Secret } from "../../src/contract/secret.ts";
import { type FakeAzureOpenAi, startFakeAzureOpenAi } from "../fakes/azure-openai.ts";
import { type TestWorld, testWorld } from "../support/world.ts";

const { signal } = new AbortController();
const MACHINE = "44444444-4444-4444-8444-444444444444";
const LABEL = "rotated-test-slot";
let fake: FakeAzureOpenAi;
let world: TestWorld;
let provider: ReturnType<typeof azureOpenAi.connect>;

/** A certificate with its private key, in one text. Needs openssl. */
function makeCertificate(): string {
  const args = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "-", "-out", "-", "-days", "2", "-subj", "/CN=rotated"];
  return execFileSync("openssl", args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
}

beforeAll(async () => {
  fake = await startFakeAzureOpenAi();
  const certificate = makeCertificate();
  fake.admin.certificate = certificate;
  const { secret: admin, federatedToken: federated } = fake.admin;
  world = await testWorld({
    secrets: {
      admin,
      federated,
      certificate,
      other: makeCertificate(),
      noPem: "canary-no-pem",
      wrong: "canary-wrong",
      reader: fake.reader.secret,
      fresh: fake.entra.accessToken(fake.url),
      stale: "eyJ.canary-stale",
    },
  });
});
beforeEach(() => {
  provider = connect({});
});
afterEach(() => {
  fake.reset();
  fake.entra.machine.length = 0;
});
afterAll(async () => {
  await world.close();
  await fake.close();
});

function connect(settings: Readonly<Record<string, unknown>>, overrides: Partial<TestWorld> = {}): ReturnType<typeof azureOpenAi.connect> {
  return azureOpenAi.connect(azureOpenAi.settings.parse({ ...fake.settings, ...settings }), { ...world, ...overrides });
}

const application = (proof: object) => ({ signIn: { tenant: fake.admin.tenant, client: fake.admin.client, ...proof } });
const like = (id: string): VendorKey => ({ id, label: "", createdAt: new Date(), enabled: true });
const requests = () => fake.log.map(({ path }) => path.split("/").at(-1));
const ids = () => fake.vendor.both().map(({ id }) => id);

describe("settings", () => {
  it.each([
    [{ subscription: "my subscription" }, "subscription"],
    [{ account: "a/b" }, "account"],
    [{ signIn: { secret: { credential: "admin" } } }, "signIn"],
    [{ signIn: { managedIdentity: "mine" } }, "signIn.managedIdentity"],
    [{ verify: { apiVersion: "latest" } }, "verify.apiVersion"],
    [{ inferenceUrl: undefined }, "inferenceUrl"],
  ])("%j points at the field", (settings, field) => {
    const problems = azureOpenAi.settings.safeParse({ ...fake.settings, ...settings }).error?.issues;
    expect(problems?.map(({ path }) => path.join("."))).toEqual([field]);
  });

  it("an account that is not ours alone is a finding, because its idle key may be in use", async () => {
    const findings = await connect({ exclusive: false }).preflight(signal);
    expect(findings).toMatchObject([{ code: "notExclusive", cure: expect.stringContaining("exclusive: true") }]);
    expect(azureOpenAi.unlabelled?.(azureOpenAi.settings.parse({ ...fake.settings, exclusive: false }))).toEqual({ exclusive: false });
  });
});

describe("signing in", () => {
  it.each([
    ["secret", "admin"],
    ["certificate", "certificate"],
    ["federatedToken", "federated"],
  ])("as an application, with its %s", async (name, credential) => {
    const before = fake.entra.given;
    await connect(application({ [name]: { credential } })).list(signal);
    expect(fake.entra.given).toBe(before + 1);
  });

  it.each(["system", MACHINE])("as the machine: %s", async (managedIdentity) => {
    fake.entra.machine.push(...(managedIdentity === "system" ? ["the-system"] : [MACHINE]));
    const asked: string[] = [];
    const exchange: TestWorld["exchange"] = async (request) => {
      const url = request.url.replace("http://169.254.169.254", fake.url);
      asked.push(new URL(request.url).hostname);
      return world.exchange({ ...request, url });
    };
    await connect({ signIn: { managedIdentity } }, { exchange }).list(signal);
    expect(asked).toEqual(["169.254.169.254"]);
  });

  it("by a token that somebody else keeps fresh, read anew at each call", async () => {
    let token = "fresh";
    const changing = connect({ signIn: { accessToken: { credential: "x" } } }, { secret: () => world.secret({ credential: token }) });
    await changing.list(signal);
    token = "stale";
    await expect(changing.list(signal)).rejects.toMatchObject({ code: "unauthorized" });
  });

  it("takes one token for all calls until shortly before its end", async () => {
    let aheadMs = 0;
    const ahead = connect({}, { clock: { ...world.clock, now: () => Date.now() + aheadMs } });
    const before = fake.entra.given;
    for (let n = 0; n < 3; n++) await ahead.list(signal);
    expect(fake.entra.given).toBe(before + 1);
    aheadMs = 3_599_000 - 60_000;
    await ahead.list(signal);
    expect(fake.entra.given).toBe(before + 2);
  });

  it("takes a new one at once when a kept token is refused, or the secret is another", async () => {
    let now = fake.admin.secret;
    const changing = connect({}, { secret: async () => new Secret(now) });
    await changing.list(signal);
    fake.entra.forget();
    await changing.list(signal);
    now = "canary-wrong";
    await expect(changing.list(signal)).rejects.toMatchObject({ code: "unauthorized" });
  });

  it("does not sign in for ever where a new token is refused, too", async () => {
    await provider.list(signal);
    fake.log.length = 0;
    fake.faults.add({ path: "/listKeys$", fault: { do: "reply", status: 401 } });
    await expect(provider.list(signal)).rejects.toMatchObject({ code: "unauthorized" });
    expect(fake.log).toHaveLength(2);
    await expect(provider.list(signal)).rejects.toMatchObject({ code: "unauthorized" });
    expect(fake.log, "a new one each time is asked with once").toHaveLength(3);
  });

  it.each([
    ["secret", "wrong", "unauthorized"],
    ["certificate", "other", "unauthorized"],
    ["certificate", "noPem", "misconfigured"],
    ["federatedToken", "wrong", "unauthorized"],
  ])("%s: %s ends with %s, and nothing of it in the message", async (proof, credential, code) => {
    const failure: unknown = await connect(application({ [proof]: { credential } }))
      .list(signal)
      .catch((error: unknown) => error);
    expect(failure).toMatchObject({ code });
    expect(String((failure as Error).stack)).not.toContain("canary");
    expect(fake.log).toEqual([]);
  });

  it("ends with the reason of an abort, also on its way", async () => {
    await expect(provider.list(AbortSignal.abort("no more"))).rejects.toBe("no more");
    const stop = new AbortController();
    const exchange: TestWorld["exchange"] = (request) => {
      setImmediate(() => stop.abort("shutting down"));
      return new Promise((_, reject) => request.signal.addEventListener("abort", () => reject(request.signal.reason)));
    };
    await expect(connect({}, { exchange }).list(stop.signal)).rejects.toBe("shutting down");
  });

  it("asks once where Entra fails", async () => {
    let asked = 0;
    const exchange: TestWorld["exchange"] = async () => {
      asked += 1;
      return { status: 503, headers: {}, body: new Uint8Array() };
    };
    await expect(connect({}, { exchange }).list(signal)).rejects.toMatchObject({ code: "unavailable" });
    expect(asked).toBe(1);
  });
});

describe("create", () => {
  it.each(["Key1", "Key2"] as const)("beside %s regenerates the other slot, and nothing else", async (name) => {
    const serving = fake.vendor.slot(name);
    const other = name === "Key1" ? "Key2" : "Key1";
    const made = await provider.create({ label: LABEL, like: like(serving.id) }, signal);
    expect(made.id).toMatch(new RegExp(`^${other}:[0-9a-f]{12}$`));
    expect(made.secret.reveal()).toBe(fake.vendor.slot(other).secret);
    expect(fake.vendor.slot(name)).toBe(serving);
    expect(requests()).toEqual(["listKeys", "regenerateKey"]);
  });

  it("regenerates nothing where it is not told which serves, or neither slot holds that", async () => {
    const before = ids();
    await expect(provider.create({ label: LABEL }, signal)).rejects.toMatchObject({ code: "misconfigured", answered: true });
    const gone = provider.create({ label: LABEL, like: like("Key1:000000000000") }, signal);
    await expect(gone).rejects.toMatchObject({ code: "misconfigured", answered: true });
    expect(ids()).toEqual(before);
  });

  it("does not believe an answer with the value from before", async () => {
    const [one, two] = fake.vendor.both();
    fake.faults.add({ path: "/regenerateKey$", fault: { do: "reply", status: 200, body: { key1: one.secret, key2: two.secret } } });
    const made = provider.create({ label: LABEL, like: like(one.id) }, signal);
    await expect(made).rejects.toMatchObject({ code: "malformed", answered: false });
  });

  it("is found by its value when the reply is lost, and the secret is given back", async () => {
    const [one, two] = fake.vendor.both();
    fake.faults.add({ path: "/regenerateKey$", times: 1, fault: { do: "loseReply" } });
    await expect(provider.create({ label: LABEL, like: like(one.id) }, signal)).rejects.toMatchObject({ answered: false });
    const appeared = (await provider.list(signal)).filter(({ id }) => id !== one.id && id !== two.id);
    expect(appeared).toHaveLength(1);
    expect((await provider.recover(appeared[0]?.id ?? "", signal)).reveal()).toBe(fake.vendor.slot("Key2").secret);
    await expect(provider.recover(two.id, signal)).rejects.toMatchObject({ code: "notFound" });
  });

  it.each(["RequestConflict", "Conflict", "AnotherOperationInProgress"])("waits for another change of the account: %s", async (code) => {
    const error = { code, message: "the provisioning state is not terminal" };
    fake.faults.add({ path: "/regenerateKey$", fault: { do: "reply", status: 409, body: { error } } });
    const made = provider.create({ label: LABEL, like: like(fake.vendor.slot("Key1").id) }, signal);
    await expect(made).rejects.toMatchObject({ code: "inconclusive", retry: true, answered: true });
  });

  it("tells what an identity lacks that may only look", async () => {
    const { tenant, client } = fake.reader;
    const reader = connect({ signIn: { tenant, client, secret: { credential: "reader" } } });
    const made = reader.create({ label: LABEL, like: like(fake.vendor.slot("Key1").id) }, signal);
    await expect(made).rejects.toMatchObject({ code: "forbidden", hint: expect.stringContaining("regenerateKey/action") });
  });
});

describe("revoke", () => {
  it("regenerates the slot only while it holds that value", async () => {
    const old = fake.vendor.slot("Key1");
    await provider.revoke(old.id, signal);
    const after = ids();
    expect(after).not.toContain(old.id);
    await provider.revoke(old.id, signal);
    expect(ids()).toEqual(after);
    expect(requests().filter((what) => what === "regenerateKey")).toHaveLength(1);
  });

  it.each([{ account: "other" }, { resourceGroup: "other" }])("does not take a wrong place (%j) for a key that is gone", async (wrong) => {
    const revoked = connect(wrong).revoke(fake.vendor.slot("Key1").id, signal);
    await expect(revoked).rejects.toMatchObject({ code: "notFound", hint: expect.stringContaining("resourceGroup") });
  });
});

describe("verify", () => {
  const answer = (status: number, code: string, message: string) =>
    fake.faults.add({ path: "models$", times: 1, fault: { do: "reply", status, body: { error: { code, message } } } });
  const any = new Secret("canary-any-key");

  const message = "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key";
  it.each([
    { error: { code: "401", message } },
    { error: { code: "Unauthorized", message } },
    { error: { code: 401, message } },
    { error: { message } },
    { statusCode: 401, message },
  ])("says refused by the sentence, whatever stands beside it: %j", async (body) => {
    fake.faults.add({ path: "models$", times: 1, fault: { do: "reply", status: 401, body } });
    expect(await provider.verify(any, signal)).toBe("refused");
  });

  it("says limited of a quota that is used up", async () => {
    answer(403, "403", "Out of call volume quota. Quota will be replenished in 2 days.");
    expect(await provider.verify(any, signal)).toBe("limited");
  });

  it.each([
    ["a token in the place of a key", 401, "PermissionDenied", "Principal does not have access to API/Operation.", "inconclusive"],
    ["a firewall", 403, "AccessDenied", "Access denied due to Virtual Network/Firewall rules.", "inconclusive"],
    ["a used-up rate", 429, "429", "Requests have exceeded the call rate limit.", "rateLimited"],
    ["another address", 404, "404", "Resource not found", "notFound"],
  ])("throws on %s", async (_, status, code, message, expected) => {
    answer(status, code, message);
    await expect(provider.verify(any, signal)).rejects.toMatchObject({ code: expected });
  });

  it("asks the version that is set, with the key in a header", async () => {
    const [one] = fake.vendor.both();
    const urls: string[] = [];
    const http: TestWorld["http"] = (url, request) => {
      urls.push(url.slice(fake.url.length));
      return world.http(url, request);
    };
    for (const verify of [{}, { apiVersion: "2024-10-21" }]) {
      expect(await connect({ verify }, { http }).verify(new Secret(one.secret), signal)).toBe("accepted");
    }
    expect(urls).toEqual(["/openai/v1/models", "/openai/models?api-version=2024-10-21"]);
  });
});

it("knows the form of its keys", () => {
  expect(azureOpenAi.keyForm?.pattern.test(fake.vendor.slot("Key1").secret)).toBe(true);
  expect(azureOpenAi.keyForm?.pattern.test("0123456789abcdef0123456789abcdef")).toBe(true);
  expect(azureOpenAi.keyForm?.pattern.test("sk-canary-of-somebody-else")).toBe(false);
});
