import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { litellm } from "../../providers/litellm.ts";
import type { FakeKey } from "../fakes/litellm/vendor.ts";
import type { FakeLiteLlm } from "../fakes/litellm.ts";
import { type LiteLlmBench, liteLlmBench, never } from "./litellm-bench.ts";

const { signal } = new AbortController();
const HOUR_MS = 3_600_000;
let bench: LiteLlmBench;
let fake: FakeLiteLlm;
let provider: LiteLlmBench["provider"];

beforeAll(async () => {
  bench = await liteLlmBench();
  ({ fake, provider } = bench);
});
afterEach(() => fake.reset());
afterAll(() => bench.close());

/** A key made like `like`, as the proxy's database has it. */
async function madeLike(like: FakeKey, from = provider): Promise<FakeKey> {
  const request = { label: `rotated-${fake.vendor.keys.size}`, like: await bench.listed(like.token), secret: bench.newSecret() };
  const made = await from.create(request, signal);
  return fake.vendor.keys.get(made.id) ?? never();
}

describe("a secret of ours", () => {
  it("is long, unlike any other, and of the form that the proxy takes", () => {
    const made = Array.from({ length: 20 }, () => litellm.makeSecret?.(bench.world.random).reveal() ?? "");
    expect(new Set(made).size).toBe(20);
    for (const secret of made) expect(secret).toMatch(/^sk-[\w-]{43}$/);
    for (const secret of made) expect(secret).toMatch(litellm.keyForm?.pattern ?? /^$/);
  });

  it("names its key: the id is known before the call", async () => {
    const secret = bench.newSecret();
    const key = await provider.create({ label: "rotated-s-1", secret }, signal);
    expect(key.id).toBe(secret.sha256());
    expect((await provider.identify(secret, signal))?.label).toBe("rotated-s-1");
  });

  it("is not sent twice under two labels: the proxy would answer with a label that it does not keep", async () => {
    const secret = bench.newSecret();
    await provider.create({ label: "rotated-s-2", secret }, signal);
    const again = await provider.create({ label: "rotated-s-3", secret }, signal);
    expect(again.label).toBe("rotated-s-3");
    expect((await bench.listed(again.id)).label).toBe("rotated-s-2");
  });

  it("is missed at a proxy that forbids it, by the name of its setting", async () => {
    fake.vendor.rules.noCustomKeys = true;
    const call = provider.create({ label: "rotated-s-4", secret: bench.newSecret() }, signal);
    await expect(call).rejects.toMatchObject({ code: "misconfigured", answered: true, hint: expect.stringContaining("disable_custom") });
  });

  it("is known by its hash under the other name that the answer may give it", async () => {
    const secret = bench.newSecret();
    fake.faults.add({ method: "POST", fault: { do: "reply", status: 200, body: { key: secret.reveal(), token_id: secret.sha256() } } });
    expect((await provider.create({ label: "rotated-s-6", secret }, signal)).id).toBe(secret.sha256());
  });

  it("that the proxy did not take leaves the call open, since a key is there", async () => {
    const body = { key: "sk-canary-other", token: "0".repeat(64), created_at: null, expires: null };
    fake.faults.add({ method: "POST", fault: { do: "reply", status: 200, body } });
    const call = provider.create({ label: "rotated-s-5", secret: bench.newSecret() }, signal);
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
    const key = await madeLike(old, bench.connect({ models: ["fake-2"], team: "team-2", user: "user-2", expiresIn: "2h" }));
    expect(key.rights).toMatchObject({ models: ["fake-2"], team_id: "team-2", user_id: "user-2", max_budget: 50 });
    expect(Math.abs((key.expiresAt ?? 0) - Date.now() - 2 * HOUR_MS)).toBeLessThan(5000);
  });

  it("makes nothing when the key to be like was deleted, though the proxy still shows it", async () => {
    const old = fake.vendor.addKey("old", { rights });
    const like = await bench.listed(old.token);
    await provider.revoke(old.token, signal);
    fake.log.length = 0;
    const call = provider.create({ label: "rotated-c-1", like, secret: bench.newSecret() }, signal);
    await expect(call).rejects.toMatchObject({ code: "notFound", answered: true });
    expect(fake.log).toEqual([`GET /key/info?key=${old.token}`]);
  });

  it("may race under one label: the listing shows how many there are", async () => {
    fake.vendor.rules.aliasRaceMs = 100;
    const calls = Array.from({ length: 4 }, () => provider.create({ label: "rotated-race", secret: bench.newSecret() }, signal));
    const made = (await Promise.allSettled(calls)).flatMap((call) => (call.status === "fulfilled" ? [call.value.id] : []));
    const shown = (await provider.list(signal)).filter(({ label }) => label === "rotated-race").map(({ id }) => id);
    expect(made.length).toBeGreaterThan(1);
    expect(new Set(shown)).toEqual(new Set(made));
    await provider.revoke(made[0] ?? "", signal);
    expect(fake.vendor.withAlias("rotated-race")).toHaveLength(made.length - 1);
  });

  it("says that nothing was made when the label is taken", async () => {
    await provider.create({ label: "rotated-taken", secret: bench.newSecret() }, signal);
    const again = provider.create({ label: "rotated-taken", secret: bench.newSecret() }, signal);
    await expect(again).rejects.toMatchObject({ code: "invalid", answered: true });
  });
});
