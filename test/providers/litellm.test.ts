import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { litellm } from "../../providers/litellm.ts";
import { Secret } from "../../src/contract/secret.ts";
import type { FakeKey } from "../fakes/litellm/vendor.ts";
import type { FakeLiteLlm } from "../fakes/litellm.ts";
import { good, type LiteLlmBench, liteLlmBench, never } from "./litellm-bench.ts";

const { signal } = new AbortController();
let bench: LiteLlmBench;
let fake: FakeLiteLlm;
let provider: LiteLlmBench["provider"];

beforeAll(async () => {
  bench = await liteLlmBench();
  ({ fake, provider } = bench);
});
afterEach(() => fake.reset());
afterAll(() => bench.close());

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

describe("list", () => {
  it("shows blocked and expired keys as not enabled, and when a key was last used", async () => {
    const now = Date.now();
    const blocked = fake.vendor.addKey("blocked", { blocked: true, lastActive: now });
    const expired = fake.vendor.addKey("expired", { expiresAt: now - 1000 });
    expect(await bench.listed(blocked.token)).toMatchObject({ enabled: false, lastUsedAt: new Date(now) });
    expect(await bench.listed(expired.token)).toMatchObject({ enabled: false, expiresAt: new Date(now - 1000), lastUsedAt: null });
  });

  it("does not take a row without last_active, as older proxies give it, for a key that was never used", async () => {
    const row = { token: "0".repeat(64), key_alias: "older", created_at: "2026-01-01T00:00:00Z" };
    fake.faults.add({ path: "/key/list$", fault: { do: "reply", status: 200, body: { keys: [row], total_pages: 1 } } });
    expect(await bench.listed(row.token)).not.toHaveProperty("lastUsedAt");
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

  it("reads a full page of keys that may call hundreds of models each", async () => {
    const models = Array.from({ length: 300 }, (_, n) => `vendor-${n}/a-model-with-quite-a-long-name-${n}`);
    const tokens = Array.from({ length: 100 }, (_, n) => fake.vendor.addKey(`many models ${n}`, { rights: { models } }).token);
    expect((await provider.list(signal)).map(({ id }) => id)).toEqual(expect.arrayContaining(tokens));
    for (const token of tokens) fake.vendor.remove(0, token);
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
    const chat = bench.connect({ verify: { by: "chat", model: "fake-1" } });
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
    const outcome = await provider.verify(bench.newSecret(), signal).catch((error: { code: string }) => error.code);
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
      expect(await provider.identify(bench.newSecret(), signal)).toBeUndefined();
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
    const other = bench.connect({ adminKey: { credential } });
    const key = fake.vendor.addKey("safe");
    for (const call of [other.list(signal), other.revoke(key.token, signal), other.identify(new Secret(key.secret), signal)])
      await expect(call).rejects.toMatchObject({
        code: expect.stringMatching(/^(unauthorized|forbidden)$/),
        hint: expect.stringContaining("master key"),
      });
    expect(fake.vendor.keys.has(key.token)).toBe(true);
  });

  it("and the address are what lets a 404 mean that the key is gone", async () => {
    const elsewhere = bench.connect({ baseUrl: `${fake.url}/v1` });
    await expect(elsewhere.revoke("any", signal)).rejects.toMatchObject({ code: "malformed", hint: expect.stringContaining("baseUrl") });
    await expect(elsewhere.identify(bench.newSecret(), signal)).rejects.toMatchObject({ code: "malformed" });
    await expect(provider.revoke("any", signal)).resolves.toBeUndefined();
  });
});

it("never shows a secret of the proxy in what is logged", async () => {
  const { secret } = await provider.create({ label: "rotated-log", secret: bench.newSecret() }, signal);
  await provider.verify(secret, signal);
  expect(bench.world.logged.length).toBeGreaterThan(10);
  expect(bench.world.logged.join("\n")).not.toContain("canary");
});
