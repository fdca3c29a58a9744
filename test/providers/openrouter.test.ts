import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { openrouter } from "../../providers/openrouter.ts";
import { AdapterError } from "../../src/contract/errors.ts";
import { Secret } from "../../src/contract/secret.ts";
import type { FakeKey } from "../fakes/openrouter/vendor.ts";
import { type FakeOpenRouter, startFakeOpenRouter } from "../fakes/openrouter.ts";
import { type TestWorld, testWorld } from "../support/world.ts";

const { signal } = new AbortController();
const HOUR_MS = 3_600_000;
let fake: FakeOpenRouter;
let world: TestWorld;
let provider: ReturnType<typeof openrouter.connect>;
let inference: FakeKey;

beforeAll(async () => {
  fake = await startFakeOpenRouter();
  inference = fake.vendor.addKey("inference only");
  world = await testWorld({ secrets: { management: fake.managementKey, inference: inference.secret } });
  provider = connect();
});
afterEach(() => fake.reset());
afterAll(async () => {
  await world.close();
  await fake.close();
});

const good = { adminKey: { credential: "management" } };

function connect(settings: Readonly<Record<string, unknown>> = {}): ReturnType<typeof openrouter.connect> {
  return openrouter.connect(openrouter.settings.parse({ ...good, baseUrl: fake.url, ...settings }), world);
}

async function listed(key: FakeKey, from = provider) {
  return (await from.list(signal)).find(({ id }) => id === key.hash) ?? never();
}

describe("settings", () => {
  it.each([
    [{ limit: 0 }, /^limit: an amount in USD above 0/],
    [{ limit: "25 USD" }, /^limit: /],
    [{ limitReset: "hourly" }, /^limitReset: /],
    [{ expiresIn: "10ms" }, /^expiresIn: at least/],
    [{ adminKey: "sk-or-v1-canary" }, /^adminKey: .*as a reference/],
  ])("%j points at the field", (settings, problem) => {
    const issues = openrouter.settings.safeParse({ ...good, ...settings }).error?.issues;
    expect(issues?.map(({ path, message }) => `${path.join(".")}: ${message}`)).toEqual([expect.stringMatching(problem)]);
  });
});

describe("create", () => {
  const made = async (like: FakeKey, from = provider) => {
    const key = await from.create({ label: "rotated-c", like: await listed(like, from) }, signal);
    return fake.vendor.key(key.id);
  };

  it("carries over limits, workspace, creator, partner's user and length of life, and neither label nor what was spent", async () => {
    const workspaceId = fake.vendor.addWorkspace();
    const old = fake.vendor.addKey("old", {
      workspaceId,
      creatorUserId: "user_2",
      externalUser: "partner-7",
      limit: 40,
      limitReset: "monthly",
      includeByokInLimit: true,
      usage: 39,
      createdAt: Date.now() - HOUR_MS,
      expiresAt: Date.now() + HOUR_MS,
    });
    const key = await made(old, connect({ workspace: workspaceId }));
    expect(key).toMatchObject({ name: "rotated-c", workspaceId, creatorUserId: "user_2", externalUser: "partner-7" });
    expect(key).toMatchObject({ limit: 40, limitReset: "monthly", includeByokInLimit: true, usage: 0 });
    expect(Math.abs((key.expiresAt ?? 0) - Date.now() - 2 * HOUR_MS)).toBeLessThan(5000);
  });

  it("lets the settings decide where they say something", async () => {
    const old = fake.vendor.addKey("old", { limit: 40, limitReset: "monthly", includeByokInLimit: true, creatorUserId: "user_2" });
    const settings = { limit: 7, limitReset: "never", includeByokInLimit: false, creator: "user_3", expiresIn: "2h" };
    const key = await made(old, connect(settings));
    expect(key).toMatchObject({ limit: 7, limitReset: null, includeByokInLimit: false, creatorUserId: "user_3" });
    expect(await made(old, connect({ limit: "none" }))).toMatchObject({ limit: null, limitReset: "monthly", expiresAt: null });
  });

  it("writes an expiry in UTC with seconds, whatever the clock says", async () => {
    const key = await connect({ expiresIn: "90s" }).create({ label: "rotated-c" }, signal);
    expect((key.expiresAt?.getTime() ?? 1) % 1000).toBe(0);
  });

  it("binds the new key to the guardrail of the old one by one call more, and to no other", async () => {
    const [one, other] = [fake.vendor.addGuardrail(), fake.vendor.addGuardrail()];
    const old = fake.vendor.addKey("old");
    fake.vendor.guardrails.get(one)?.add(old.hash);
    for (let n = 0; n < 120; n++) fake.vendor.guardrails.get(other)?.add(fake.vendor.addKey(`bound ${n}`).hash);
    const like = await listed(old);
    const before = fake.log.length;
    const { id } = await provider.create({ label: "rotated-bound", like }, signal);
    expect([one, other].map((guardrail) => fake.vendor.guardrails.get(guardrail)?.has(id))).toEqual([true, false]);
    expect(fake.log.slice(before).filter((line) => line.startsWith("POST"))).toHaveLength(2);
  });

  it("makes no key where the old one has several guardrails: a new one could be given one of them only", async () => {
    const old = fake.vendor.addKey("old");
    for (const id of [fake.vendor.addGuardrail(), fake.vendor.addGuardrail()]) fake.vendor.guardrails.get(id)?.add(old.hash);
    const like = await listed(old);
    await expect(provider.create({ label: "rotated-several", like }, signal)).rejects.toMatchObject({
      code: "inconclusive",
      hint: expect.stringContaining("one guardrail"),
    });
    expect(fake.vendor.everyKey().map(({ name }) => name)).not.toContain("rotated-several");
  });

  it("makes a key where there are no guardrails, and believes no single 404 of that", async () => {
    const old = fake.vendor.addKey("old");
    const guardrail = fake.vendor.addGuardrail();
    fake.vendor.guardrails.get(guardrail)?.add(old.hash);
    const like = await listed(old);
    fake.faults.add({ method: "GET", path: "/assignments/keys", times: 1, fault: { do: "html", status: 404 } });
    const bound = await provider.create({ label: "rotated-once-404", like }, signal);
    expect(fake.vendor.guardrails.get(guardrail)?.has(bound.id)).toBe(true);
    fake.vendor.rules.hasGuardrails = false;
    const { secret } = await provider.create({ label: "rotated-no-guardrails", like }, signal);
    expect(await provider.verify(secret, signal)).toBe("accepted");
  });

  it("says that the call is open when a guardrail cannot be bound: the key is there by then", async () => {
    const old = fake.vendor.addKey("old");
    fake.vendor.guardrails.get(fake.vendor.addGuardrail())?.add(old.hash);
    const like = await listed(old);
    fake.faults.add({ method: "POST", path: "/assignments/", fault: { do: "reply", status: 400 } });
    const error = await provider.create({ label: "rotated-unbound", like }, signal).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(AdapterError);
    expect(error).toMatchObject({ answered: false, message: expect.stringContaining("stays unused") });
    expect(fake.vendor.everyKey().filter(({ name }) => name === "rotated-unbound")).toHaveLength(1);
  });

  it("hands out no key of which the vendor says that none was bound to the guardrail", async () => {
    const old = fake.vendor.addKey("old");
    fake.vendor.guardrails.get(fake.vendor.addGuardrail())?.add(old.hash);
    const like = await listed(old);
    fake.faults.add({ method: "POST", path: "/assignments/", fault: { do: "reply", status: 200, body: { assigned_count: 0 } } });
    await expect(provider.create({ label: "rotated-bound-to-none", like }, signal)).rejects.toMatchObject({
      answered: false,
      message: expect.stringContaining("stays unused"),
    });
  });

  it.each(["/keys/", "/assignments/keys"])(
    "says that nothing was made when a look before (%s) fails: no create call has left",
    async (path) => {
      const like = await listed(fake.vendor.addKey("old"));
      fake.faults.add({ method: "GET", path, fault: { do: "reply", status: 502 } });
      const before = fake.vendor.everyKey().length;
      await expect(provider.create({ label: "rotated-early", like }, signal)).rejects.toMatchObject({ answered: true, retry: true });
      expect(fake.vendor.everyKey()).toHaveLength(before);
    },
  );

  it("makes nothing when the key to be like is gone", async () => {
    const like = { id: "gone", label: "", createdAt: new Date(), enabled: true };
    await expect(provider.create({ label: "rotated-c", like }, signal)).rejects.toMatchObject({ code: "notFound", answered: true });
    expect(fake.log).toEqual(["GET /api/v1/keys/gone"]);
  });
});

describe("list", () => {
  it("asks for the disabled ones, too, and shows them and expired ones as not enabled", async () => {
    const off = fake.vendor.addKey("off", { disabled: true });
    const expired = fake.vendor.addKey("expired", { expiresAt: Date.now() - 1000 });
    expect([await listed(off), await listed(expired)].map(({ enabled }) => enabled)).toEqual([false, false]);
  });

  it("sees the keys of its workspace alone", async () => {
    const workspace = fake.vendor.addWorkspace();
    const key = fake.vendor.addKey("elsewhere", { workspaceId: workspace });
    expect((await connect({ workspace }).list(signal)).map(({ id }) => id)).toEqual([key.hash]);
    expect((await provider.list(signal)).map(({ id }) => id)).not.toContain(key.hash);
  });

  it("loses no key when one is deleted between two pages", async () => {
    const workspace = fake.vendor.addWorkspace();
    const keys = Array.from({ length: 150 }, (_, n) => fake.vendor.addKey(`key ${n}`, { workspaceId: workspace }));
    const deleted = keys[149] ?? never();
    fake.faults.add({ method: "GET", path: "/keys$", skip: 1, times: 1, fault: { do: "delay", ms: 300 } });
    const listing = connect({ workspace }).list(signal);
    await expect.poll(() => fake.log.length, { interval: 2 }).toBe(2);
    deleted.deleted = true;
    const expected = keys.filter((key) => key !== deleted).map(({ hash }) => hash);
    expect(new Set((await listing).map(({ id }) => id))).toEqual(new Set(expected));
  });

  it("is whole where nothing pages and all fits a page, and is no answer where it may not", async () => {
    fake.vendor.rules.pages = false;
    const workspace = fake.vendor.addWorkspace();
    const keys = Array.from({ length: 99 }, (_, n) => fake.vendor.addKey(`key ${n}`, { workspaceId: workspace }));
    const ids = (await connect({ workspace }).list(signal)).map(({ id }) => id);
    expect(new Set(ids)).toEqual(new Set(keys.map(({ hash }) => hash)));
    fake.vendor.addKey("one that fills it", { workspaceId: workspace });
    await expect(connect({ workspace }).list(signal)).rejects.toMatchObject({ code: "inconclusive" });
  });

  it("does not end at a page that is shorter than the last vendor's pages were", async () => {
    const row = (n: number) => ({
      ...{ hash: `hash-${n}`, name: `key ${n}`, label: "sk-or-v1-000...0000", disabled: false, limit: null },
      created_at: "2026-01-02T03:04:05Z",
    });
    const pages = [[row(0), row(1)], [row(2)], []];
    for (const data of [...pages, ...pages]) fake.faults.add({ times: 1, fault: { do: "reply", status: 200, body: { data } } });
    expect((await provider.list(signal)).map(({ label }) => label)).toEqual(["key 0", "key 1", "key 2"]);
  });
});

describe("identify", () => {
  it("takes a hash that is the secret's for certain, where the hints of two keys are alike", async () => {
    const key = fake.vendor.addKey("one");
    fake.vendor.addKey("its double", { secret: `${key.secret.slice(0, 30)}canary${key.secret.slice(-8)}` });
    expect((await provider.identify(new Secret(key.secret), signal))?.id).toBe(key.hash);
  });

  it("goes by the hint where hashes are of something else, and says nothing where two fit", async () => {
    fake.vendor.rules.hashIsOfSecret = false;
    const key = fake.vendor.addKey("one");
    expect((await provider.identify(new Secret(key.secret), signal))?.id).toBe(key.hash);
    fake.vendor.addKey("its double", { secret: `${key.secret.slice(0, 30)}canary${key.secret.slice(-8)}` });
    expect(await provider.identify(new Secret(key.secret), signal)).toBeUndefined();
  });
});

describe("verify", () => {
  it("asks one question, and never for the models, which anybody may see", async () => {
    expect(await provider.verify(new Secret(inference.secret), signal)).toBe("accepted");
    expect(fake.log).toEqual(["GET /api/v1/key"]);
  });

  it("takes a spent limit, an account without credit and a management key for limited", async () => {
    expect(await provider.verify(new Secret(fake.vendor.addKey("spent", { limit: 2, usage: 5 }).secret), signal)).toBe("limited");
    expect(await provider.verify(new Secret(fake.managementKey), signal)).toBe("limited");
    fake.vendor.rules.noCredit = true;
    expect(await provider.verify(new Secret(inference.secret), signal)).toBe("limited");
  });

  it("takes a key that is switched off for what the vendor says of it", async () => {
    const { secret } = fake.vendor.addKey("off", { disabled: true });
    expect(await provider.verify(new Secret(secret), signal)).toBe("refused");
    fake.vendor.rules.disabledAnswers = 403;
    expect(await provider.verify(new Secret(secret), signal)).toBe("limited");
  });

  it.each([
    [401, { error: { code: 401, message: "User not found." } }, "refused"],
    [401, { error: { code: "401", message: "User not found." } }, "inconclusive"],
    [401, { error: { code: 403, message: "odd" } }, "inconclusive"],
    [401, { detail: "who are you" }, "inconclusive"],
    [402, { error: { code: 402, message: "Insufficient credits" } }, "limited"],
    [402, {}, "inconclusive"],
    [403, { error: { code: 403, message: "no" } }, "limited"],
    [404, { error: { code: 404, message: "Not found" } }, "notFound"],
    [429, { error: { code: 429, message: "Rate limited" } }, "rateLimited"],
  ])("takes %i %j for %s", async (status, body, expected) => {
    fake.faults.add({ fault: { do: "reply", status, body } });
    const outcome = await provider.verify(new Secret("sk-or-v1-canary-any"), signal).catch((error: { code: string }) => error.code);
    expect(outcome).toBe(expected);
  });
});

describe("the management key", () => {
  it("is named when it is none", async () => {
    const wrong = connect({ adminKey: { credential: "inference" } });
    await expect(wrong.list(signal)).rejects.toMatchObject({ code: "unauthorized", hint: expect.stringContaining("management-keys") });
    await expect(wrong.revoke("any", signal)).rejects.toMatchObject({ code: "unauthorized" });
  });

  it("and the address are what lets a 404 mean that the key is gone", async () => {
    await expect(connect({ baseUrl: `${fake.url}/elsewhere` }).revoke("any", signal)).rejects.toMatchObject({ code: "notFound" });
    fake.faults.add({ method: "DELETE", times: 1, fault: { do: "reply", status: 404, body: { detail: "Not Found" } } });
    await expect(provider.revoke("any", signal)).rejects.toMatchObject({ code: "malformed", hint: "correct baseUrl" });
    await expect(provider.revoke("any", signal)).resolves.toBeUndefined();
  });
});

it("takes no single 404 for done while the key lives", async () => {
  const { hash } = fake.vendor.addKey("old");
  fake.faults.add({ method: "DELETE", times: 1, fault: { do: "reply", status: 404 } });
  await expect(provider.revoke(hash, signal)).rejects.toMatchObject({ code: "inconclusive" });
  await provider.revoke(hash, signal);
  expect((await provider.list(signal)).map(({ id }) => id)).not.toContain(hash);
});

it("never shows a secret of the vendor in what is logged", async () => {
  const { secret } = await provider.create({ label: "rotated-s-1" }, signal);
  await provider.verify(secret, signal);
  expect(world.logged.length).toBeGreaterThan(10);
  expect(world.logged.join("\n")).not.toContain("canary");
});

function never(): never {
  throw new Error("the vendor does not list the key");
}
