import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { anyLlm } from "../../providers/any-llm.ts";
import { Secret } from "../../src/contract/secret.ts";
import { type FaultProxy, startFaultProxy } from "../fakes/fault-proxy.ts";
import { type AnyLlmGateway, startAnyLlm } from "../support/any-llm.ts";
import { type TestWorld, testWorld } from "../support/world.ts";

const signal = new AbortController().signal;
const UNKNOWN = new Secret(`gw-canary-${"0".repeat(50)}`);
let gateway: AnyLlmGateway;
let proxy: FaultProxy;
let world: TestWorld;
let provider: ReturnType<typeof anyLlm.connect>;

beforeAll(async () => {
  gateway = await startAnyLlm();
  proxy = await startFaultProxy(gateway.url);
  world = await testWorld({ secrets: { master: gateway.masterKey, wrong: "mk-canary-wrong-0001" } });
  provider = connect();
}, 90_000);
afterEach(() => {
  vi.unstubAllEnvs();
  gateway.outage(undefined);
  proxy.faults.clear();
  proxy.log.length = 0;
});
afterAll(async () => {
  await world.close();
  await proxy.close();
  await gateway.close();
});

const good = { baseUrl: "http://127.0.0.1:1", adminKey: { credential: "master" }, verify: { model: "openai:fake-1" } };

function connect(settings: Readonly<Record<string, unknown>> = {}): ReturnType<typeof anyLlm.connect> {
  return anyLlm.connect(anyLlm.settings.parse({ ...good, baseUrl: proxy.url, ...settings }), world);
}

/** A key as the gateway itself shows it. */
async function shown(id: string): Promise<Record<string, unknown>> {
  return (await gateway.call("GET", `/v1/keys/${id}`)).body as Record<string, unknown>;
}

async function listed(id: string) {
  return (await provider.list(signal)).find((key) => key.id === id);
}

describe("settings", () => {
  it.each([
    [{ verify: { model: "fake-1" } }, /^verify\.model: .*colon/],
    [{ verify: undefined }, /^verify: /],
    [{ adminKey: "mk-canary-literal" }, /^adminKey: .*as a reference/],
    [{ expiresIn: "10ms" }, /^expiresIn: at least/],
  ])("%j points at the field", (settings, problem) => {
    const issues = anyLlm.settings.safeParse({ ...good, ...settings }).error?.issues;
    expect(issues?.map(({ path, message }) => `${path.join(".")}: ${message}`)).toEqual([expect.stringMatching(problem)]);
  });
});

describe("create", () => {
  const make = async (body: object) =>
    (await listed(((await gateway.call("POST", "/v1/keys", body)).body as { id: string }).id)) ?? never();

  it("carries over user, metadata and length of life, and no label", async () => {
    const inAnHour = new Date(Date.now() + 3_600_000).toISOString();
    const like = await make({ key_name: "old", user_id: "team", metadata: { tags: ["a"] }, expires_at: inAnHour });
    const key = await provider.create({ label: "rotated-c-1", like }, signal);
    expect(await shown(key.id)).toMatchObject({ key_name: "rotated-c-1", user_id: "team", metadata: { tags: ["a"] } });
    expect((key.expiresAt?.getTime() ?? 0) - Date.now()).toBeGreaterThan(3_590_000);
    expect((key.expiresAt?.getTime() ?? 0) - Date.now()).toBeLessThan(3_610_000);
  });

  it("keeps the user that the gateway made for the old key, so that its budget holds", async () => {
    const like = await make({ key_name: "old" });
    const key = await provider.create({ label: "rotated-c-2", like }, signal);
    expect(await shown(key.id)).toMatchObject({ user_id: `apikey-${like.id}`, expires_at: null, metadata: {} });
    await provider.revoke(like.id, signal);
    expect(await provider.verify(key.secret, signal)).toBe("accepted");
  });

  it("lets the settings decide where they say something", async () => {
    const like = await make({ key_name: "old", user_id: "team" });
    const key = await connect({ user: "other", expiresIn: "2h" }).create({ label: "rotated-c-3", like }, signal);
    expect(await shown(key.id)).toMatchObject({ user_id: "other" });
    expect(key.expiresAt?.getTime()).toBeCloseTo(Date.now() + 7_200_000, -4);
  });

  it("makes nothing when the key to be like is gone", async () => {
    const like = { id: "gone", label: "", createdAt: new Date(), enabled: true };
    await expect(provider.create({ label: "rotated-c-4", like }, signal)).rejects.toMatchObject({ code: "notFound", answered: true });
    expect(proxy.log).toEqual(["GET /v1/keys/gone"]);
  });

  it("says so when its user was deleted", async () => {
    await make({ key_name: "old", user_id: "leaver" });
    await gateway.call("DELETE", "/v1/users/leaver");
    const call = connect({ user: "leaver" }).create({ label: "rotated-c-5" }, signal);
    await expect(call).rejects.toMatchObject({ code: "notFound", hint: expect.stringContaining("POST /v1/users") });
  });
});

describe("the master key", () => {
  const wrong = () => connect({ adminKey: { credential: "wrong" } });

  it("is named when it is not accepted", async () => {
    await expect(wrong().list(signal)).rejects.toMatchObject({ code: "unauthorized", hint: expect.stringContaining("master_key") });
  });

  it("is missed at a gateway that has none", async () => {
    const body = { detail: "Master key not configured. Set GATEWAY_MASTER_KEY environment variable." };
    proxy.faults.add({ fault: { do: "reply", status: 503, body } });
    await expect(provider.list(signal)).rejects.toMatchObject({ code: "misconfigured" });
  });

  it("is what lets a 404 mean that the key is gone", async () => {
    proxy.faults.add({ method: "DELETE", fault: { do: "reply", status: 404, body: { detail: "Not Found" } } });
    await expect(wrong().revoke("any", signal)).rejects.toMatchObject({ code: "unauthorized" });
    await expect(connect({ baseUrl: `${proxy.url}/elsewhere` }).revoke("any", signal)).rejects.toMatchObject({ code: "notFound" });
    await expect(provider.revoke("any", signal)).resolves.toBeUndefined();
  });
});

it.each([
  ["its own words", { do: "reply", status: 404, body: { detail: "API key with id 'x' not found" } }, "inconclusive"],
  ["a balancer's page", { do: "html", status: 404 }, "malformed"],
] as const)("a single 404 in %s makes no key look gone that is there", async (_, fault, code) => {
  const { id } = await provider.create({ label: "rotated-404" }, signal);
  proxy.faults.add({ method: "DELETE", times: 1, fault });
  await expect(provider.revoke(id, signal)).rejects.toMatchObject({ code, retry: true });
  expect(await listed(id)).toBeDefined();
  await provider.revoke(id, signal);
  expect(await listed(id)).toBeUndefined();
});

describe("list", () => {
  const row = (n: number) => ({
    id: `key-${n}`,
    key_name: `name ${n}`,
    user_id: "u",
    created_at: "2026-01-02T03:04:05.678901+00:00",
    last_used_at: "2026-01-02T03:04:06",
    expires_at: null,
    is_active: true,
    metadata: {},
  });
  const rows = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => row(from + n));
  const pages = (...bodies: readonly object[][]) => {
    for (const body of bodies) proxy.faults.add({ fault: { do: "reply", status: 200, body }, times: 1 });
  };
  const whole = [rows(0, 200), rows(200, 210)] as const;

  it("reads what fits one page once, and times without an offset as UTC", async () => {
    vi.stubEnv("TZ", "America/New_York");
    pages([{ ...row(0), colour: "red" } as object]);
    const [key] = await provider.list(signal);
    expect(key).toEqual({
      id: "key-0",
      label: "name 0",
      createdAt: new Date("2026-01-02T03:04:05.678Z"),
      lastUsedAt: new Date("2026-01-02T03:04:06Z"),
      enabled: true,
    });
    expect(proxy.log).toEqual(["GET /v1/keys?skip=0&limit=200"]);
  });

  it("reads several pages until two readings agree", async () => {
    pages(...whole, ...whole);
    expect(await provider.list(signal)).toHaveLength(210);
    expect(proxy.log).toHaveLength(4);
  });

  it("gives no reading that misses a key which the next one has", async () => {
    pages(rows(0, 200), rows(201, 210), ...whole, ...whole);
    expect(await provider.list(signal)).toHaveLength(210);
    expect(proxy.log).toHaveLength(6);
  });

  it("gives no reading that shows a key twice, since another is missing there", async () => {
    const moved = [rows(0, 200), [row(0), ...rows(200, 209)]];
    pages(...moved, ...moved, ...whole, ...whole);
    expect(new Set((await provider.list(signal)).map(({ id }) => id)).size).toBe(210);
    expect(proxy.log).toHaveLength(8);
  });

  it("gives up, soon, when no two readings agree", async () => {
    for (let n = 0; n < 20; n++) pages(rows(0, 200), rows(200 + n, 210 + n));
    await expect(provider.list(signal)).rejects.toMatchObject({ code: "inconclusive", retry: true });
    expect(proxy.log).toHaveLength(12);
  });

  it("shows expired and inactive keys as not enabled", async () => {
    pages([
      { ...row(0), expires_at: "2026-01-03T00:00:00+00:00" },
      { ...row(1), is_active: false },
    ]);
    expect((await provider.list(signal)).map((key) => key.enabled)).toEqual([false, false]);
  });
});

describe("verify", () => {
  it("makes one chat call for one token", async () => {
    const { secret } = await provider.create({ label: "rotated-v-1" }, signal);
    proxy.log.length = 0;
    expect(await provider.verify(secret, signal)).toBe("accepted");
    expect(proxy.log).toEqual(["POST /v1/chat/completions"]);
  });

  it("throws when the vendor behind the gateway refuses, which says nothing of the key", async () => {
    const { secret } = await provider.create({ label: "rotated-v-2" }, signal);
    gateway.outage(401);
    await expect(provider.verify(secret, signal)).rejects.toMatchObject({ code: "unavailable" });
  });

  it("takes a blocked user for limited", async () => {
    const { secret } = await connect({ user: "blocked" }).create({ label: "rotated-v-3" }, signal);
    await gateway.call("PATCH", "/v1/users/blocked", { blocked: true });
    expect(await provider.verify(secret, signal)).toBe("limited");
  });

  it.each([
    ["refused", UNKNOWN],
    ["refused", new Secret("sk-canary-of-another-shape")],
  ])("says %s of a secret that the gateway never made", async (verdict, secret) => {
    expect(await provider.verify(secret, signal)).toBe(verdict);
  });

  it.each([
    [401, "API key has expired", "limited"],
    [403, "User 'x' has exceeded budget limit", "limited"],
    [401, "Invalid master key", "inconclusive"],
    [401, "Invalid API key of the upstream", "inconclusive"],
    [403, "no", "inconclusive"],
    [429, "Rate limit exceeded", "rateLimited"],
  ])("takes %i %s for %s", async (status, detail, expected) => {
    proxy.faults.add({ fault: { do: "reply", status, body: { detail } } });
    const outcome = await provider.verify(UNKNOWN, signal).catch((error: { code: string }) => error.code);
    expect(outcome).toBe(expected);
  });
});

describe("preflight", () => {
  it("misses a database that lets keys expire", async () => {
    await provider.create({ label: "rotated-p-1" }, signal);
    expect(await connect({ expiresIn: "2h" }).preflight(signal)).toEqual([expect.objectContaining({ code: "noExpiry" })]);
    expect(await provider.preflight(signal)).toEqual([]);
  });

  it("is right: with SQLite, a key that has an end does not work", async () => {
    const { secret } = await connect({ expiresIn: "2h" }).create({ label: "rotated-p-2" }, signal);
    await expect(provider.verify(secret, signal)).rejects.toMatchObject({ code: "unavailable" });
  });
});

it("never shows a secret of the gateway in what is logged", async () => {
  const { secret } = await provider.create({ label: "rotated-s-1" }, signal);
  await provider.verify(secret, signal);
  expect(world.logged.length).toBeGreaterThan(10);
  expect(world.logged.join("\n")).not.toMatch(/gw-|canary/);
});

function never(): never {
  throw new Error("the gateway does not list the key");
}
