import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { anthropic } from "../../providers/anthropic.ts";
import { Secret } from "../../src/contract/secret.ts";
import { type FakeAnthropic, startFakeAnthropic } from "../fakes/anthropic.ts";
import { type TestWorld, testWorld } from "../support/world.ts";

const { signal } = new AbortController();
const adminKey = { credential: "admin" };
let fake: FakeAnthropic;
let world: TestWorld;
let provider: ReturnType<typeof anthropic.connect>;

beforeAll(async () => {
  fake = await startFakeAnthropic();
  world = await testWorld({ secrets: { admin: fake.admin.secret, plain: fake.vendor.addKey("plain").secret } });
  provider = connect({});
});
afterEach(() => fake.reset());
afterAll(async () => {
  await world.close();
  await fake.close();
});

const parse = (settings: object) => anthropic.settings.parse({ adminKey, ...settings });
const connect = (settings: object) => anthropic.connect(parse({ baseUrl: fake.url, ...settings }), world);
const requests = () => fake.log.map(({ method, path }) => `${method} ${path.replace(/apikey_\w+/, "ID")}`);

describe("settings", () => {
  it.each([
    [{ verify: { by: "messages" } }, "verify.model"],
    [{ verify: { by: "models", model: "x" } }, "verify.model"],
    [{ expiresIn: "1h" }, "expiresIn"],
    [{ adminKey: "sk-ant-admin01-literal" }, "adminKey"],
  ])("%j points at the field", (settings, field) => {
    const problems = anthropic.settings.safeParse({ adminKey, ...settings }).error?.issues;
    expect(problems?.map(({ path }) => path.join("."))).toEqual([field]);
  });

  it("tell a person what to click", () => {
    const settings = { workspace: "wrkspc_1", serviceAccount: "openclaw", expiresIn: "90d" };
    const asked = (given: object) => anthropic.intake?.(parse(given));
    expect(asked({})?.url).toBe("https://platform.claude.com/settings/keys");
    expect(asked(settings)?.steps.join("; ")).toMatch(/service account openclaw.*workspace wrkspc_1.*expiration of 90 days.*shows it once/);
    expect(asked({})?.steps.join("; ")).toMatch(/a service account.*workspace of the key that it replaces.*no expiration/);
    expect(anthropic.describe(parse(settings)).keyLifetimeMs).toBe(90 * 86_400_000);
  });
});

describe("the form of a key", () => {
  const pattern = anthropic.keyForm?.pattern ?? /(?!)/;

  it("is that of an API key, and of nothing else that Anthropic gives out", () => {
    expect(fake.vendor.addKey("form").secret).toMatch(pattern);
    expect(`sk-ant-api04-${"x".repeat(80)}`).toMatch(pattern);
    for (const other of [fake.admin.secret, `sk-ant-oat01-${"x".repeat(80)}`, `sk-proj-${"x".repeat(80)}`, "sk-ant-api03-short"])
      expect(other).not.toMatch(pattern);
    expect(`sk-ant-api03-${"x".repeat(80)}\nmore`).not.toMatch(pattern);
  });
});

describe("preflight", () => {
  it("misses a workspace that is not there, and one that is archived", async () => {
    expect(await connect({ workspace: "wrkspc_none" }).preflight(signal)).toMatchObject([{ code: "noWorkspace" }]);
    const workspace = fake.vendor.addWorkspace();
    expect(await connect({ workspace }).preflight(signal)).toEqual([]);
    Object.assign(fake.vendor.workspaces.get(workspace) ?? {}, { archivedAt: Date.now() });
    expect(await connect({ workspace }).preflight(signal)).toMatchObject([{ code: "workspaceArchived" }]);
  });

  it("has nothing to ask without a workspace", async () => {
    expect(await provider.preflight(signal)).toEqual([]);
    expect(requests()).toEqual([]);
  });
});

describe("list", () => {
  it("has the keys of its workspace that can still work, switched off ones as such, and when they expire", async () => {
    const workspace = fake.vendor.addWorkspace();
    const expiresAt = Date.now() + 86_400_000;
    const on = fake.vendor.addKey("on", { workspace, expiresAt });
    const off = fake.vendor.addKey("off", { workspace, state: "inactive" });
    fake.vendor.addKey("gone", { workspace, state: "archived" });
    fake.vendor.addKey("over", { workspace, expiresAt: Date.now() - 1 });
    fake.vendor.addKey("elsewhere");
    const rows = await connect({ workspace }).list(signal);
    expect(rows.map(({ id, enabled }) => ({ id, enabled })).toSorted((a, b) => a.id.localeCompare(b.id))).toEqual(
      [
        { id: on.id, enabled: true },
        { id: off.id, enabled: false },
      ].toSorted((a, b) => a.id.localeCompare(b.id)),
    );
    expect(rows.find(({ id }) => id === on.id)?.expiresAt?.getTime()).toBe(expiresAt);
  });

  it("takes the default workspace by its real id, which the older rows do not tell", async () => {
    const { id } = fake.vendor.addKey("default");
    const rows = await connect({ workspace: fake.vendor.defaultWorkspace }).list(signal);
    expect(rows.map((row) => row.id)).toContain(id);
  });

  it("believes a row that says it is of another workspace, whatever it was asked for", async () => {
    const row = { id: "apikey_x", name: "x", created_at: "2026-01-01T00:00:00Z", partial_key_hint: null, status: "active" };
    const of = (more: object) => ({ ...row, ...more });
    const data = [
      of({ id: "apikey_old", workspace_id: "wrkspc_other" }),
      of({ id: "apikey_new", scope: { type: "workspace", workspace_id: "wrkspc_other" } }),
      of({ id: "apikey_ours", scope: { type: "workspace", workspace_id: "wrkspc_ours" } }),
    ];
    fake.faults.add({ fault: { do: "reply", status: 200, body: { data, has_more: false, first_id: null, last_id: null } } });
    const rows = await connect({ workspace: "wrkspc_ours" }).list(signal);
    expect(rows.map(({ id }) => id)).toEqual(["apikey_ours"]);
  });

  it("does not page for ever", async () => {
    fake.faults.add({ fault: { do: "reply", status: 200, body: { data: [], has_more: true, first_id: null, last_id: "apikey_same" } } });
    await expect(provider.list(signal)).rejects.toMatchObject({ code: "malformed" });
  });
});

describe("identify", () => {
  it("is not certain when two hints fit, nor of a key that is archived", async () => {
    const { secret } = fake.vendor.addKey("first");
    expect(await provider.identify(new Secret(secret), signal)).toMatchObject({ label: "first" });
    fake.vendor.addKey("twin", { secret: `${secret.slice(0, 30)}-another-one-${secret.slice(-4)}` });
    expect(await provider.identify(new Secret(secret), signal)).toBeUndefined();
    const gone = fake.vendor.addKey("gone", { state: "archived" });
    expect(await provider.identify(new Secret(gone.secret), signal)).toBeUndefined();
  });

  it("does not take a short text for a key whose two ends it has", async () => {
    const { hint } = fake.vendor.addKey("ends");
    expect(await provider.identify(new Secret(hint.replace("...", "")), signal)).toBeUndefined();
  });
});

describe("verify", () => {
  const answer = (status: number, type: string, code?: string) => {
    const error = { type, message: "no", ...(code !== undefined && { details: { error_code: code } }) };
    fake.faults.add({ fault: { do: "reply", status, body: { type: "error", error } }, times: 1 });
  };

  it.each([
    [402, "billing_error", undefined],
    [403, "permission_error", undefined],
    [400, "invalid_request_error", "organization_on_hold"],
    [429, "rate_limit_error", "enforced_spend_limit_reached"],
  ])("says limited on %i %s %s", async (status, type, code) => {
    answer(status, type, code);
    expect(await provider.verify(new Secret("sk-ant-api03-canary-any"), signal)).toBe("limited");
  });

  it.each([
    ["a gateway's own 401", 401, "unauthorized", undefined, "inconclusive"],
    ["a region that is refused", 403, "forbidden", undefined, "inconclusive"],
    ["a sandbox that is refused", 403, "permission_error", "sandbox_egress_restricted", "inconclusive"],
    ["another wrong request", 400, "invalid_request_error", undefined, "invalid"],
    ["a usual limit", 429, "rate_limit_error", "ramp_limit_exceeded", "rateLimited"],
    ["an overload", 529, "overloaded_error", undefined, "unavailable"],
  ])("throws on %s", async (_, status, type, error, code) => {
    answer(status, type, error);
    await expect(provider.verify(new Secret("sk-ant-api03-canary-any"), signal)).rejects.toMatchObject({ code });
  });

  it("cannot tell a key that is off from one that is gone, but where Anthropic tells", async () => {
    const { secret } = fake.vendor.addKey("off", { state: "inactive" });
    expect(await provider.verify(new Secret(secret), signal)).toBe("refused");
    fake.vendor.rules.inactiveIs = 403;
    expect(await provider.verify(new Secret(secret), signal)).toBe("limited");
  });
});

it.each([1, 2])("takes no 404 for done while the key lives, said to %i requests in a row", async (times) => {
  const { id } = fake.vendor.addKey("old");
  fake.faults.add({ path: `/api_keys/${id}$`, times, fault: { do: "html", status: 404 } });
  await expect(provider.revoke(id, signal)).rejects.toMatchObject({ code: "inconclusive" });
  await provider.revoke(id, signal);
  expect((await provider.list(signal)).map((key) => key.id)).not.toContain(id);
});

describe("switching on and off", () => {
  it.each(["archived", "expired"] as const)("leaves a key alone that is %s: it is off, and never comes back", async (status) => {
    const more = status === "archived" ? ({ state: "archived" } as const) : { expiresAt: Date.now() - 1 };
    const { id } = fake.vendor.addKey("gone", more);
    await expect(provider.setEnabled(id, true, signal)).rejects.toMatchObject({ code: "notFound", answered: true });
    await provider.setEnabled(id, false, signal);
    expect(requests()).toEqual(["GET /v1/organizations/api_keys/ID", "GET /v1/organizations/api_keys/ID"]);
  });

  it.each([
    ["mostActive", "the organization"],
    ["mostActiveInWorkspace", "the workspace"],
  ] as const)("says what to do when %s keys are active", async (rule, where) => {
    const { id } = fake.vendor.addKey("full", { state: "inactive", workspace: fake.vendor.addWorkspace() });
    fake.vendor.rules[rule] = 0;
    const refused = provider.setEnabled(id, true, signal);
    await expect(refused).rejects.toMatchObject({
      code: "invalid",
      message: expect.stringContaining(where),
      hint: expect.stringContaining("archive"),
    });
  });

  it("believes no answer that shows another status", async () => {
    const { id } = fake.vendor.addKey("odd");
    const body = { id, name: "odd", created_at: "2026-01-01T00:00:00Z", status: "active" };
    fake.faults.add({ method: "POST", fault: { do: "reply", status: 200, body } });
    await expect(provider.setEnabled(id, false, signal)).rejects.toMatchObject({ code: "malformed", answered: false });
  });
});

describe("revoke", () => {
  it("takes a refusal for done where the key is archived, or has expired", async () => {
    fake.vendor.rules.archivedAgain = 400;
    await provider.revoke(fake.vendor.addKey("gone", { state: "archived" }).id, signal);
    await provider.revoke(fake.vendor.addKey("over", { expiresAt: Date.now() - 1 }).id, signal);
  });

  it("does not take a refusal for done while the key lives", async () => {
    const { id } = fake.vendor.addKey("alive");
    const error = { type: "invalid_request_error", message: "no" };
    fake.faults.add({ method: "POST", fault: { do: "reply", status: 400, body: { type: "error", error } } });
    await expect(provider.revoke(id, signal)).rejects.toMatchObject({ code: "undeletable" });
  });

  it("does not take a wrong address, or a wrong workspace, for a key that is gone", async () => {
    const { id } = fake.vendor.addKey("alive");
    await expect(connect({ baseUrl: `${fake.url}/wrong` }).revoke(id, signal)).rejects.toMatchObject({ code: "notFound" });
    await expect(connect({ workspace: "wrkspc_none" }).revoke("apikey_none", signal)).rejects.toMatchObject({ code: "notFound" });
  });
});

describe("the admin key", () => {
  it("is asked for again where another kind of key is given", async () => {
    const refused = connect({ adminKey: { credential: "plain" } }).list(signal);
    await expect(refused).rejects.toMatchObject({ code: "unauthorized", hint: expect.stringContaining("sk-ant-admin") });
  });

  it("never leaves with a consumer's request", async () => {
    await provider.verify(new Secret(fake.vendor.addKey("used").secret), signal);
    expect(requests()).toEqual(["GET /v1/models?limit=1"]);
  });
});
