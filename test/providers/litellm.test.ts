import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { litellm } from "../../providers/litellm.ts";
import { Secret } from "../../src/contract/secret.ts";
import type { FakeKey } from "../fakes/litellm/vendor.ts";
import { type FakeLiteLlm, startFakeLiteLlm } from "../fakes/litellm.ts";
import { type TestWorld, testWorld } from "../support/world.ts";

const { signal } = new AbortController();
const HOUR_MS = 3_600_000;
let fake: FakeLiteLlm;
let world: TestWorld;
let provider: ReturnType<typeof litellm.connect>;
let ordinary: FakeKey;

beforeAll(async () => {
  fake = await startFakeLiteLlm();
  ordinary = fake.vendor.addKey("ordinary");
  world = await testWorld({
    secrets: { master: fake.vendor.masterKey, ordinary: ordinary.secret, wrong: "sk-canary-wrong-master" },
  });
  provider = connect();
});
afterEach(() => fake.reset());
afterAll(async () => {
  await world.close();
  await fake.close();
});

const good = { baseUrl: "http://127.0.0.1:1", adminKey: { credential: "master" } };

function connect(settings: Readonly<Record<string, unknown>> = {}): ReturnType<typeof litellm.connect> {
  return litellm.connect(litellm.settings.parse({ ...good, baseUrl: fake.url, ...settings }), world);
}

const newSecret = () => new Secret(`sk-canary-${Buffer.from(world.random(16)).toString("hex")}`);

async function listed(token: string) {
  return (await provider.list(signal)).find(({ id }) => id === token) ?? never();
}

/** A key made like `like`, as the proxy's database has it. */
async function madeLike(like: FakeKey, from = provider): Promise<FakeKey> {
  const request = { label: `rotated-${fake.vendor.keys.size}`, like: await listed(like.token), secret: newSecret() };
  const made = await from.create(request, signal);
  return fake.vendor.keys.get(made.id) ?? never();
}

describe("settings", () => {
  it.each([
    [{ models: [] }, /^models: an empty list means all models/],
    [{ expiresIn: "10ms" }, /^expiresIn: at least/],
    [{ verify: { by: "chat" } }, /^verify\.model: needed/],
    [{ verify: { by: "models", model: "fake-1" } }, /^verify\.model: only for chat/],
    [{ adminKey: "sk-canary-literal" }, /^adminKey: .*as a reference/],
  ])("%j points at the field", (settings, problem) => {
    const issues = litellm.settings.safeParse({ ...good, ...settings }).error?.issues;
    expect(issues?.map(({ path, message }) => `${path.join(".")}: ${message}`)).toEqual([expect.stringMatching(problem)]);
  });
});

describe("a secret of ours", () => {
  it("is long, unlike any other, and of the form that the proxy takes", () => {
    const made = Array.from({ length: 20 }, () => litellm.makeSecret?.(world.random).reveal() ?? "");
    expect(new Set(made).size).toBe(20);
    for (const secret of made) expect(secret).toMatch(/^sk-[\w-]{43}$/);
    for (const secret of made) expect(secret).toMatch(litellm.keyForm?.pattern ?? /^$/);
  });

  it("names its key: the id is known before the call", async () => {
    const secret = newSecret();
    const key = await provider.create({ label: "rotated-s-1", secret }, signal);
    expect(key.id).toBe(secret.sha256());
    expect((await provider.identify(secret, signal))?.label).toBe("rotated-s-1");
  });

  it("is not sent twice under two labels: the proxy would answer with a label that it does not keep", async () => {
    const secret = newSecret();
    await provider.create({ label: "rotated-s-2", secret }, signal);
    const again = await provider.create({ label: "rotated-s-3", secret }, signal);
    expect(again.label).toBe("rotated-s-3");
    expect((await listed(again.id)).label).toBe("rotated-s-2");
  });

  it("is missed at a proxy that forbids it, by the name of its setting", async () => {
    fake.vendor.rules.noCustomKeys = true;
    const call = provider.create({ label: "rotated-s-4", secret: newSecret() }, signal);
    await expect(call).rejects.toMatchObject({ code: "misconfigured", answered: true, hint: expect.stringContaining("disable_custom") });
  });

  it("is known by its hash under the other name that the answer may give it", async () => {
    const secret = newSecret();
    fake.faults.add({ method: "POST", fault: { do: "reply", status: 200, body: { key: secret.reveal(), token_id: secret.sha256() } } });
    expect((await provider.create({ label: "rotated-s-6", secret }, signal)).id).toBe(secret.sha256());
  });

  it("that the proxy did not take leaves the call open, since a key is there", async () => {
    const body = { key: "sk-canary-other", token: "0".repeat(64), created_at: null, expires: null };
    fake.faults.add({ method: "POST", fault: { do: "reply", status: 200, body } });
    const call = provider.create({ label: "rotated-s-5", secret: newSecret() }, signal);
    await expect(call).rejects.toMatchObject({ code: "malformed", answered: false });
  });
});

describe("create", () => {
  const rights = {
    models: ["fake-1"],
    aliases: { gpt: "fake-1" },
    user_id: "user-1",
    team_id: "team-1",
    organization_id: "org-1",
    metadata: { tags: ["a"], model_rpm_limit: { "fake-1": 5 }, guardrails: ["no-secrets"] },
    permissions: { get_spend_routes: false },
    allowed_routes: ["/v1/models", "/v1/chat/completions"],
    max_parallel_requests: 3,
    tpm_limit: 1000,
    rpm_limit: 10,
    max_budget: 50,
    budget_duration: "30d",
    budget_limits: [{ budget_duration: "1h", max_budget: 2 }],
    model_max_budget: { "fake-1": { budget_limit: 1, time_period: "1d" } },
    object_permission: { vector_stores: ["v-1"] },
  };

  it("carries over all that bounds the old key or says whose it is, and no more than the proxy has a name for", async () => {
    const key = await madeLike(fake.vendor.addKey("old", { rights, spend: 20 }));
    expect(key).toMatchObject({ rights, spend: 20, blocked: null, expiresAt: null });
    expect(Object.keys(key.rights).toSorted()).toEqual(Object.keys(rights).toSorted());
    expect(Object.keys(key.rights["object_permission"] ?? {})).toEqual(["vector_stores"]);
    expect(fake.vendor.ignored).toEqual([]);
  });

  it("gives no bound where the old key has none", async () => {
    const key = await madeLike(fake.vendor.addKey("old", { spend: 20 }));
    expect(key).toMatchObject({ rights: {}, spend: 0 });
  });

  it("carries over the length of life, and not when it ends", async () => {
    const now = Date.now();
    const key = await madeLike(fake.vendor.addKey("old", { createdAt: now - HOUR_MS, expiresAt: now + HOUR_MS }));
    expect(Math.abs((key.expiresAt ?? 0) - now - 2 * HOUR_MS)).toBeLessThan(5000);
  });

  it("gives no more than what is left where the proxy does not know when the old key began", async () => {
    const old = fake.vendor.addKey("old", { expiresAt: Date.now() + HOUR_MS });
    const info = { key_alias: "old", created_at: null, expires: new Date(Date.now() + HOUR_MS).toISOString() };
    fake.faults.add({ path: "/key/info$", fault: { do: "reply", status: 200, body: { key: old.token, info } } });
    expect(Math.abs(((await madeLike(old)).expiresAt ?? 0) - Date.now() - HOUR_MS)).toBeLessThan(5000);
  });

  it("lets the settings decide where they say something", async () => {
    const old = fake.vendor.addKey("old", { rights });
    const key = await madeLike(old, connect({ models: ["fake-2"], team: "team-2", user: "user-2", expiresIn: "2h" }));
    expect(key.rights).toMatchObject({ models: ["fake-2"], team_id: "team-2", user_id: "user-2", max_budget: 50 });
    expect(Math.abs((key.expiresAt ?? 0) - Date.now() - 2 * HOUR_MS)).toBeLessThan(5000);
  });

  it("makes nothing when the key to be like was deleted, though the proxy still shows it", async () => {
    const old = fake.vendor.addKey("old", { rights });
    const like = await listed(old.token);
    await provider.revoke(old.token, signal);
    fake.log.length = 0;
    const call = provider.create({ label: "rotated-c-1", like, secret: newSecret() }, signal);
    await expect(call).rejects.toMatchObject({ code: "notFound", answered: true });
    expect(fake.log).toEqual([`GET /key/info?key=${old.token}`]);
  });

  it("may race under one label: the listing shows how many there are", async () => {
    fake.vendor.rules.aliasRaceMs = 100;
    const calls = Array.from({ length: 4 }, () => provider.create({ label: "rotated-race", secret: newSecret() }, signal));
    const made = (await Promise.allSettled(calls)).flatMap((call) => (call.status === "fulfilled" ? [call.value.id] : []));
    const shown = (await provider.list(signal)).filter(({ label }) => label === "rotated-race").map(({ id }) => id);
    expect(made.length).toBeGreaterThan(1);
    expect(new Set(shown)).toEqual(new Set(made));
    await provider.revoke(made[0] ?? "", signal);
    expect(fake.vendor.withAlias("rotated-race")).toHaveLength(made.length - 1);
  });

  it("says that nothing was made when the label is taken", async () => {
    await provider.create({ label: "rotated-taken", secret: newSecret() }, signal);
    const again = provider.create({ label: "rotated-taken", secret: newSecret() }, signal);
    await expect(again).rejects.toMatchObject({ code: "invalid", answered: true });
  });
});

describe("list", () => {
  it("shows blocked and expired keys as not enabled, and when a key was last used", async () => {
    const now = Date.now();
    const blocked = fake.vendor.addKey("blocked", { blocked: true, lastActive: now });
    const expired = fake.vendor.addKey("expired", { expiresAt: now - 1000 });
    expect(await listed(blocked.token)).toMatchObject({ enabled: false, lastUsedAt: new Date(now) });
    expect(await listed(expired.token)).toMatchObject({ enabled: false, expiresAt: new Date(now - 1000), lastUsedAt: null });
  });

  it("does not take a row without last_active, as older proxies give it, for a key that was never used", async () => {
    const row = { token: "0".repeat(64), key_alias: "older", created_at: "2026-01-01T00:00:00Z" };
    fake.faults.add({ path: "/key/list$", fault: { do: "reply", status: 200, body: { keys: [row], total_pages: 1 } } });
    expect(await listed(row.token)).not.toHaveProperty("lastUsedAt");
  });

  it.each([{ created_at: null }, {}])("is not spoilt by a stranger's row without a time: %j", async (more) => {
    const tokens = ["0".repeat(64), "1".repeat(64)];
    const keys = [
      { token: tokens[0], ...more },
      { token: tokens[1], created_at: "2026-01-01T00:00:00Z" },
    ];
    fake.faults.add({ path: "/key/list$", fault: { do: "reply", status: 200, body: { keys, total_pages: 1 } } });
    expect((await provider.list(signal)).map(({ id }) => id)).toEqual(tokens);
  });

  it("asks for pages of a hundred, which is all that the proxy gives", async () => {
    await provider.list(signal);
    expect(fake.log).toEqual(["GET /key/list?page=1&size=100&return_full_object=true"]);
  });

  it("loses no key when one is deleted between two pages", async () => {
    const keys = Array.from({ length: 150 }, (_, n) => fake.vendor.addKey(`page ${n}`));
    fake.faults.add({ method: "GET", path: "/key/list$", skip: 1, times: 1, fault: { do: "delay", ms: 300 } });
    const listing = provider.list(signal);
    await expect.poll(() => fake.log.length, { interval: 2 }).toBe(2);
    const deleted = keys[149] ?? never();
    fake.vendor.remove(0, deleted.token);
    const ids = new Set((await listing).map(({ id }) => id));
    expect(keys.filter((key) => key !== deleted && !ids.has(key.token))).toEqual([]);
    expect(ids).not.toContain(deleted.token);
  });
});

describe("verify", () => {
  it("asks for the models, which costs nothing and leaves no trace of a use", async () => {
    const key = fake.vendor.addKey("quiet");
    expect(await provider.verify(new Secret(key.secret), signal)).toBe("accepted");
    expect(fake.log).toEqual(["GET /v1/models"]);
    expect(key.lastActive).toBeNull();
  });

  it("takes a blocked, expired or spent key, and one whose routes or models do not fit, for limited", async () => {
    const chat = connect({ verify: { by: "chat", model: "fake-1" } });
    const verdict = (from: typeof provider, more: Partial<FakeKey>) =>
      from.verify(new Secret(fake.vendor.addKey(null, more).secret), signal);
    expect(await verdict(provider, { blocked: true })).toBe("limited");
    expect(await verdict(provider, { expiresAt: Date.now() - 1 })).toBe("limited");
    expect(await verdict(provider, { rights: { max_budget: 5 }, spend: 5 })).toBe("limited");
    expect(await verdict(provider, { rights: { allowed_routes: ["/v1/chat/completions"] } })).toBe("limited");
    expect(await verdict(chat, { rights: { allowed_routes: ["/v1/chat/completions"] } })).toBe("accepted");
    expect(await verdict(chat, { rights: { models: ["fake-2"] } })).toBe("limited");
  });

  it.each([
    ["of another form", "gw-canary-of-another-shape"],
    ["that nobody made", "sk-canary-nobody-made-this"],
  ])("says refused of a secret %s", async (_, secret) => {
    expect(await provider.verify(new Secret(secret), signal)).toBe("refused");
  });

  it.each([
    [401, { error: { type: "token_not_found_in_db", message: "Unable to find token", code: "401" } }, "refused"],
    [500, { error: { type: "token_not_found_in_db", message: "odd", code: "500" } }, "unavailable"],
    [401, { error: { type: "auth_error", message: "Authentication Error, something broke inside", code: "401" } }, "inconclusive"],
    [400, { error: { type: "no_db_connection", message: "the database is down", code: "400" } }, "invalid"],
    [401, { detail: "who are you" }, "inconclusive"],
    [403, { detail: "no" }, "inconclusive"],
    [403, { error: { type: "team_model_access_denied", message: "no", code: "403" } }, "limited"],
    [429, { error: { type: "throttling_error", message: "slow down", code: "429" } }, "rateLimited"],
  ])("takes %i %j for %s", async (status, body, expected) => {
    fake.faults.add({ fault: { do: "reply", status, body } });
    const outcome = await provider.verify(newSecret(), signal).catch((error: { code: string }) => error.code);
    expect(outcome).toBe(expected);
  });
});

describe("replicas", () => {
  it("flap over a key that was revoked, for as long as one remembers it, and the definition says how long that is", async () => {
    fake.vendor.rules.replicas = 2;
    const key = fake.vendor.addKey("remembered");
    const verdicts = async (times: number) => {
      const said: string[] = [];
      for (let n = 0; n < times; n++) said.push(await provider.verify(new Secret(key.secret), signal));
      return said;
    };
    expect(await verdicts(2)).toEqual(["accepted", "accepted"]);
    await provider.revoke(key.token, signal);
    expect(new Set(await verdicts(4))).toEqual(new Set(["accepted", "refused"]));
    expect(litellm.revokeLagMs).toBeGreaterThanOrEqual(fake.vendor.rules.cacheMs);
  });

  it("flap over a blocked one, too", async () => {
    fake.vendor.rules.replicas = 2;
    const key = fake.vendor.addKey("remembered");
    for (let n = 0; n < 2; n++) await provider.verify(new Secret(key.secret), signal);
    await provider.setEnabled(key.token, false, signal);
    const said = [await provider.verify(new Secret(key.secret), signal), await provider.verify(new Secret(key.secret), signal)];
    expect(new Set(said)).toEqual(new Set(["accepted", "limited"]));
  });
});

describe("revoke", () => {
  const no = { error: { message: "{'error': 'no'}", type: "internal_server_error", param: null, code: "400" } };

  it("of a key that is gone is done where the proxy says 400 of it, as some versions do", async () => {
    const key = fake.vendor.addKey("gone-400");
    fake.vendor.remove(0, key.token);
    fake.faults.add({ path: "/key/delete$", fault: { do: "reply", status: 400, body: no } });
    await provider.revoke(key.token, signal);
    await provider.revoke("0".repeat(64), signal);
  });

  it.each([{ detail: { error: "Key not found" } }, { error: { message: "Key not found", type: null, param: null, code: "404" } }])(
    "is done in whatever words the proxy says that a key is not there: %j",
    async (body) => {
      fake.faults.add({ path: "/key/(delete|info)$", fault: { do: "reply", status: 404, body } });
      await provider.revoke("0".repeat(64), signal);
      expect(await provider.identify(newSecret(), signal)).toBeUndefined();
    },
  );

  it.each([
    [400, "undeletable"],
    [404, "inconclusive"],
  ])("of a key that is there is not done by a %i", async (status, code) => {
    const key = fake.vendor.addKey("alive");
    fake.faults.add({ path: "/key/delete$", fault: { do: "reply", status, body: no } });
    await expect(provider.revoke(key.token, signal)).rejects.toMatchObject({ code });
    expect(fake.vendor.keys.has(key.token)).toBe(true);
  });
});

describe("the admin key", () => {
  it.each([["wrong"], ["ordinary"]])("is named when it is a %s one, and never taken for a key that is gone", async (credential) => {
    const other = connect({ adminKey: { credential } });
    const key = fake.vendor.addKey("safe");
    for (const call of [other.list(signal), other.revoke(key.token, signal), other.identify(new Secret(key.secret), signal)])
      await expect(call).rejects.toMatchObject({
        code: expect.stringMatching(/^(unauthorized|forbidden)$/),
        hint: expect.stringContaining("master key"),
      });
    expect(fake.vendor.keys.has(key.token)).toBe(true);
  });

  it("and the address are what lets a 404 mean that the key is gone", async () => {
    const elsewhere = connect({ baseUrl: `${fake.url}/v1` });
    await expect(elsewhere.revoke("any", signal)).rejects.toMatchObject({ code: "malformed", hint: expect.stringContaining("baseUrl") });
    await expect(elsewhere.identify(newSecret(), signal)).rejects.toMatchObject({ code: "malformed" });
    await expect(provider.revoke("any", signal)).resolves.toBeUndefined();
  });
});

it("never shows a secret of the proxy in what is logged", async () => {
  const { secret } = await provider.create({ label: "rotated-log", secret: newSecret() }, signal);
  await provider.verify(secret, signal);
  expect(world.logged.length).toBeGreaterThan(10);
  expect(world.logged.join("\n")).not.toContain("canary");
});

function never(): never {
  throw new Error("the proxy does not have the key");
}
