import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { openai } from "../../providers/openai.ts";
import type { Provider } from "../../src/contract/provider.ts";
import { Secret } from "../../src/contract/secret.ts";
import type { FakeOpenAi } from "../fakes/openai.ts";
import { adminKey, type OpenAiBench, openAiBench } from "./openai-bench.ts";

const { signal } = new AbortController();
let bench: OpenAiBench;
let fake: FakeOpenAi;
let perKey: ReturnType<OpenAiBench["connect"]>;
let shared: ReturnType<OpenAiBench["connect"]>;

beforeAll(async () => {
  bench = await openAiBench();
  fake = bench.fake;
});
beforeEach(() => {
  perKey = bench.connect({});
  shared = bench.connect({ accounts: "shared", serviceAccount: fake.account.id });
});
afterEach(() => fake.reset());
afterAll(() => bench.close());

describe("settings", () => {
  const good = { project: "proj_1", adminKey };
  const problems = (settings: object) =>
    openai.settings.safeParse({ ...good, ...settings }).error?.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);

  it("have OpenAI's addresses and an account for each key as defaults", () => {
    expect(openai.settings.parse(good)).toEqual({
      ...good,
      accounts: "per-key",
      serviceAccountKeys: "deletable",
      verify: { by: "models" },
      baseUrl: "https://api.openai.com/v1",
    });
  });

  it.each([
    [{ scopes: [] }, /^scopes: .*all permissions/],
    [{ accounts: "shared" }, /^serviceAccount: .*needs/],
    [{ serviceAccount: "svc_1" }, /^serviceAccount: only for accounts: shared/],
    [{ scopes: ["api.responses.write"] }, /^verify: .*may not list the models/],
    [{ verify: { by: "chat" } }, /^verify\.model: needed/],
    [{ verify: { by: "models", model: "x" } }, /^verify\.model: only for/],
    [{ adminKey: "sk-admin-canary-literal" }, /^adminKey: .*as a reference/],
    [{ expiresIn: "10ms" }, /^expiresIn: at least/],
  ])("%j points at the field", (settings, problem) => {
    expect(problems(settings)).toEqual([expect.stringMatching(problem)]);
  });

  it("are told with all that is wrong at once", () => {
    const settings = {
      accounts: "shared",
      scopes: ["api.responses.write"],
      verify: { by: "models", model: "x" },
      expiresIn: "soon",
      prject: 1,
    };
    expect(
      problems(settings)
        ?.map((problem) => problem.split(":")[0])
        .toSorted(),
    ).toEqual(["", "expiresIn", "serviceAccount", "verify", "verify.model"]);
    expect(problems({ scopes: "api.responses.write", verify: 1 }), "rules look at what is of the right kind only").toHaveLength(2);
  });

  it("say how long a key lives", () => {
    expect(openai.describe(openai.settings.parse({ ...good, expiresIn: "30d" }))).toMatchObject({ keyLifetimeMs: 30 * 86_400_000 });
    expect(openai.describe(openai.settings.parse(good))).not.toHaveProperty("keyLifetimeMs");
  });
});

describe("the admin key", () => {
  it.each([
    ["nobody", "unauthorized", /adminKey/],
    ["reader", "forbidden", /api\.management\.write/],
  ])("%s gets %s and a cure", async (credential, code, cure) => {
    const provider = bench.connect({ adminKey: { credential } });
    await expect(provider.create({ label: "rotated-x-1" }, signal)).rejects.toMatchObject({ code, hint: expect.stringMatching(cure) });
  });

  it("is read anew at each call", async () => {
    let reads = 0;
    const counting = {
      ...bench.world,
      secret: (reference: Parameters<typeof bench.world.secret>[0]) => {
        reads += 1;
        return bench.world.secret(reference);
      },
    };
    const provider = openai.connect(openai.settings.parse({ project: fake.vendor.project, adminKey, baseUrl: fake.url }), counting);
    await provider.list(signal);
    await provider.list(signal);
    expect(reads).toBe(2);
  });
});

describe("list", () => {
  it("shows the account's name where each key has one, else the key's own", async () => {
    const { id } = fake.vendor.addKey(fake.vendor.addAccount("made by a person"), "Secret Key");
    const label = async (provider: Provider) => (await provider.list(signal)).find((key) => key.id === id)?.label;
    expect(await label(perKey)).toBe("made by a person");
    expect(await label(shared)).toBe("Secret Key");
  });

  it("shows keys whose account has no access, and expired ones, as not enabled", async () => {
    const idle = fake.vendor.addKey(fake.vendor.addAccount("outside", "none"), "outside");
    const old = fake.vendor.addKey(fake.account, "old", { lifetimeSeconds: -5 });
    const rows = new Map((await shared.list(signal)).map((key) => [key.id, key.enabled]));
    expect([rows.get(idle.id), rows.get(old.id), rows.get(fake.key.id)]).toEqual([false, false, true]);
  });

  it("does not page for ever", async () => {
    const body = { object: "list", data: [], has_more: true, last_id: "key_same" };
    fake.faults.add({ method: "GET", fault: { do: "reply", status: 200, body } });
    await expect(perKey.list(signal)).rejects.toMatchObject({ code: "malformed" });
    expect(fake.log).toHaveLength(2);
  });

  it("lets new fields through", async () => {
    const row = {
      id: "key_1",
      name: "n",
      redacted_value: "sk-a...b",
      created_at: 1,
      last_used_at: null,
      owner: { type: "user", user: {} },
      colour: "red",
    };
    fake.faults.add({ method: "GET", fault: { do: "reply", status: 200, body: { data: [row], has_more: false, next: null } } });
    expect(await perKey.list(signal)).toMatchObject([{ id: "key_1", label: "" }]);
  });
});

describe("identify", () => {
  const value = "sk-proj-canary-0123456789";
  const row = (id: string, redacted: string) => ({ id, name: "n", redacted_value: redacted, created_at: 1, last_used_at: null, owner: {} });

  it.each<[string, string[], string | undefined]>([
    ["one with stars", ["sk-proj-****6789", "sk-proj-****0000"], "key_0"],
    ["one with dots", ["sk-...0000", "sk-...6789"], "key_1"],
    ["two that fit", ["sk-proj-****6789", "sk-...6789"], undefined],
    ["another start", ["sk-svcacct-****6789"], undefined],
    ["nothing redacted", [value], undefined],
    ["no ends", ["****", "****6789", "sk-proj-****"], undefined],
    ["ends that overlap", ["sk-proj-canary-01234****canary-0123456789"], undefined],
  ])("%s", async (_, redacted, expected) => {
    const data = redacted.map((text, index) => row(`key_${index}`, text));
    fake.faults.add({ method: "GET", fault: { do: "reply", status: 200, body: { data, has_more: false } } });
    expect((await perKey.identify(new Secret(value), signal))?.id).toBe(expected);
  });
});

describe("verify", () => {
  const answer = (status: number, error: object): void => fake.faults.add({ fault: { do: "reply", status, body: { error } }, times: 1 });
  const verify = () => perKey.verify(new Secret(fake.key.secret), signal);

  it.each([401, 403] as const)("takes missing scopes for limited, whether that is %i or not", async (status) => {
    fake.vendor.rules.missingScopes = status;
    const key = fake.vendor.addKey(fake.account, "narrow", { scopes: ["api.files.read"] });
    expect(await perKey.verify(new Secret(key.secret), signal)).toBe("limited");
  });

  it.each([
    ["a 401 without its code", 401, { message: "Unauthorized" }, "inconclusive"],
    ["a 401 with another code", 401, { message: "no", code: "invalid_organization" }, "inconclusive"],
    ["a country that is not served", 403, { message: "no", code: "unsupported_country_region_territory" }, "inconclusive"],
    ["a rate limit", 429, { message: "slow down", code: "rate_limit_exceeded" }, "rateLimited"],
  ])("throws on %s", async (_, status, error, code) => {
    answer(status, error);
    await expect(verify()).rejects.toMatchObject({ code });
  });

  it("asks at inferenceUrl", async () => {
    const provider = bench.connect({ baseUrl: "https://unused.invalid/v1", inferenceUrl: fake.url });
    expect(await provider.verify(new Secret(fake.key.secret), signal)).toBe("accepted");
    expect(fake.log.map((seen) => seen.path)).toEqual(["/v1/models"]);
  });

  it("sees a vendor that lags behind", async () => {
    Object.assign(fake.vendor.lags, { newKeyMs: 60, revokedMs: 60 });
    const key = await shared.create({ label: "rotated-lag-1" }, signal);
    expect(await shared.verify(key.secret, signal)).toBe("refused");
    await expect.poll(() => shared.verify(key.secret, signal), { interval: 5 }).toBe("accepted");
    await shared.revoke(key.id, signal);
    expect(await shared.verify(key.secret, signal)).toBe("accepted");
    await expect.poll(() => shared.verify(key.secret, signal), { interval: 5 }).toBe("refused");
  });
});

describe("revoke", () => {
  it("deletes account and key in one call", async () => {
    const key = await perKey.create({ label: "rotated-r-1" }, signal);
    const account = fake.vendor.key(key.id).account.id;
    await perKey.revoke(key.id, signal);
    expect(bench.requests("DELETE")).toEqual([`/service_accounts/${account}`]);
    expect(fake.vendor.listedAccounts().map(({ id }) => id)).not.toContain(account);
  });

  it("works under the older rule where each key has an account", async () => {
    fake.vendor.rules.keysArePermanent = true;
    const key = await perKey.create({ label: "rotated-r-2" }, signal);
    await perKey.revoke(key.id, signal);
    expect(await perKey.verify(key.secret, signal)).toBe("refused");
  });

  it("says undeletable in an account of an adopted key, too, and what then is safe", async () => {
    fake.vendor.rules.keysArePermanent = true;
    const adopted = fake.vendor.addKey(fake.vendor.addAccount("made by a person"), "adopted");
    await expect(perKey.revoke(adopted.id, signal)).rejects.toMatchObject({
      code: "undeletable",
      hint: expect.stringMatching(/^see that no key that is in use is in its service account, delete that account/),
    });
  });

  it("says undeletable, with the cure, under the older rule in a shared account, and spares the others", async () => {
    fake.vendor.rules.keysArePermanent = true;
    const key = await shared.create({ label: "rotated-r-3" }, signal);
    await expect(shared.revoke(key.id, signal)).rejects.toMatchObject({
      code: "undeletable",
      hint: expect.stringMatching(
        /^the key that serves is in the same service account: set accounts: per-key .* abandon.* rotate.* delete the old/,
      ),
    });
    expect(fake.vendor.listedAccounts()).toContainEqual(expect.objectContaining({ id: fake.account.id }));
  });

  it("deletes only the key of an account that somebody else uses, too", async () => {
    const key = await perKey.create({ label: "rotated-r-4" }, signal);
    const guest = fake.vendor.addKey(fake.vendor.key(key.id).account, "guest");
    await perKey.revoke(key.id, signal);
    expect(bench.requests("DELETE")).toEqual([`/api_keys/${key.id}`]);
    expect(await perKey.verify(new Secret(guest.secret), signal)).toBe("accepted");
  });

  it("leaves an account alone that is not called like ours", async () => {
    const account = fake.vendor.addAccount("made by a person");
    const adopted = fake.vendor.addKey(account, "adopted");
    await perKey.revoke(adopted.id, signal);
    expect(bench.requests("DELETE")).toEqual([`/api_keys/${adopted.id}`]);
    expect(fake.vendor.account(account.id)).toMatchObject({ name: "made by a person" });
  });

  it.each([
    ["its own words", { do: "reply", status: 404, body: { error: { message: "No such API key", code: "not_found" } } }],
    ["a balancer's page", { do: "html", status: 404 }],
  ] as const)("takes no single 404 in %s for done while the key lives", async (_, fault) => {
    for (const provider of [perKey, shared]) {
      const { id, secret } = await provider.create({ label: "rotated-r-404" }, signal);
      fake.faults.add({ method: "DELETE", times: 1, fault });
      await expect(provider.revoke(id, signal)).rejects.toMatchObject({ code: "inconclusive", message: expect.stringContaining(id) });
      await provider.revoke(id, signal);
      expect(await provider.verify(secret, signal)).toBe("refused");
    }
  });

  it("does not take a wrong project for a key that is gone", async () => {
    const elsewhere = bench.connect({ project: "proj_wrong" });
    await expect(elsewhere.revoke(fake.key.id, signal)).rejects.toMatchObject({ code: "notFound" });
  });
});

it("lists a key under its label, whatever `accounts` was when it was made", async () => {
  const own = await perKey.create({ label: "rotated-x-1" }, signal);
  const among = await shared.create({ label: "rotated-x-2" }, signal);
  for (const provider of [perKey, shared]) {
    const labels = new Map((await provider.list(signal)).map(({ id, label }) => [id, label]));
    expect([labels.get(own.id), labels.get(among.id)]).toEqual(["rotated-x-1", "rotated-x-2"]);
  }
});

describe("preflight", () => {
  it("refuses a shared account whose keys are permanent", async () => {
    const provider = bench.connect({ accounts: "shared", serviceAccount: fake.account.id, serviceAccountKeys: "permanent" });
    expect(await provider.preflight?.(signal)).toEqual([
      expect.objectContaining({ code: "undeletableKeys", cure: expect.stringContaining("per-key") }),
    ]);
    expect(await bench.connect({ serviceAccountKeys: "permanent" }).preflight?.(signal)).toEqual([]);
  });

  it("misses the shared account", async () => {
    const provider = bench.connect({ accounts: "shared", serviceAccount: "svc_acct_gone" });
    expect(await provider.preflight?.(signal)).toEqual([expect.objectContaining({ code: "noServiceAccount" })]);
  });
});
