import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Fault } from "../fakes/faults.ts";
import type { FakeOpenAi } from "../fakes/openai.ts";
import { type OpenAiBench, openAiBench } from "./openai-bench.ts";

const { signal } = new AbortController();
let bench: OpenAiBench;
let fake: FakeOpenAi;
let perKey: ReturnType<OpenAiBench["connect"]>;

beforeAll(async () => {
  bench = await openAiBench();
  fake = bench.fake;
});
beforeEach(() => {
  perKey = bench.connect({});
});
afterEach(() => fake.reset());
afterAll(() => bench.close());

describe("create", () => {
  it("makes account and key in one call", async () => {
    const key = await perKey.create({ label: "rotated-a-1" }, signal);
    expect(bench.requests("POST")).toEqual(["/service_accounts"]);
    expect(fake.vendor.key(key.id)).toMatchObject({ account: { name: "rotated-a-1" }, name: "Secret Key", createdBy: fake.admin.id });
  });

  it.each(["per-key", "shared"])(
    "gives a key (%s) as long to live as the one that it replaces, unless the settings say otherwise",
    async (accounts) => {
      const HOURS_MS = 7_200_000;
      const like = { id: "key_1", label: "", createdAt: new Date(0), expiresAt: new Date(HOURS_MS), enabled: true };
      const more = accounts === "shared" ? { accounts, serviceAccount: fake.account.id } : {};
      const livesMs = async (settings: object, of?: typeof like) => {
        const { createdAt, expiresAt } = await bench
          .connect({ ...more, ...settings })
          .create({ label: "rotated-a-1", ...(of && { like: of }) }, signal);
        return expiresAt && expiresAt.getTime() - createdAt.getTime();
      };
      expect(await livesMs({}, like)).toBe(HOURS_MS);
      expect(await livesMs({ expiresIn: "1h" }, like)).toBe(HOURS_MS / 2);
      expect(await livesMs({})).toBeUndefined();
    },
  );

  it("narrows the key of a new account, and gives it an expiry", async () => {
    const provider = bench.connect({ scopes: ["api.all.read"], expiresIn: "2h" });
    const key = await provider.create({ label: "rotated-a-2" }, signal);
    expect(bench.requests("POST")).toEqual(["/service_accounts", `/api_keys/${key.id}`]);
    expect(fake.vendor.key(key.id).scopes).toEqual(["api.all.read"]);
    expect(key.expiresAt?.getTime()).toBeCloseTo(Date.now() + 7_200_000, -4);
  });

  it.each<[string, Fault]>([
    ["refused", { do: "reply", status: 400 }],
    ["lost", { do: "loseReply" }],
    ["limited", { do: "rateLimit" }],
  ])("leaves the call open when narrowing is %s, since the key is there", async (_, fault) => {
    const provider = bench.connect({ scopes: ["api.all.read"] });
    const label = `rotated-narrow-${fault.do.toLowerCase()}`;
    fake.faults.add({ method: "POST", path: "/api_keys/", fault });
    await expect(provider.create({ label }, signal)).rejects.toMatchObject({ answered: false });
    expect((await provider.list(signal)).filter((key) => key.label === label)).toHaveLength(1);
  });

  it("adds a key to the shared account, scopes and expiry in the same call", async () => {
    const provider = bench.connect({ accounts: "shared", serviceAccount: fake.account.id, scopes: ["api.all.read"], expiresIn: "2h" });
    const key = await provider.create({ label: "rotated-s-1" }, signal);
    expect(bench.requests("POST")).toEqual([`/service_accounts/${fake.account.id}/api_keys`]);
    expect(fake.vendor.key(key.id)).toMatchObject({ name: "rotated-s-1", scopes: ["api.all.read"], account: fake.account });
  });

  it("is refused, with nothing made, where the project wants an expiry", async () => {
    fake.vendor.rules.maxLifetimeSeconds = 3600;
    const before = fake.vendor.everyKey().length;
    await expect(perKey.create({ label: "rotated-a-3" }, signal)).rejects.toMatchObject({ code: "invalid", answered: true });
    expect(fake.vendor.everyKey()).toHaveLength(before);
  });
});
