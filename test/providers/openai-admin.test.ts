import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { openaiAdmin } from "../../providers/openai-admin.ts";
import { Secret } from "../../src/contract/secret.ts";
import type { World } from "../../src/contract/world.ts";
import { type FakeOpenAi, startFakeOpenAi } from "../fakes/openai.ts";
import { type TestWorld, testWorld } from "../support/world.ts";

const { signal } = new AbortController();
let fake: FakeOpenAi;
let network: TestWorld;
let world: World;
/** What signs the calls; a test may change it. */
let adminKey: string;

beforeAll(async () => {
  fake = await startFakeOpenAi();
  network = await testWorld();
});
beforeEach(() => {
  adminKey = fake.admin.secret;
  world = { ...network, secret: async () => new Secret(adminKey) };
});
afterEach(() => fake.reset());
afterAll(async () => {
  await network.close();
  await fake.close();
});

function connect(more: object = {}) {
  return openaiAdmin.connect(openaiAdmin.settings.parse({ baseUrl: fake.url, adminKey: { store: "admin" }, ...more }), world);
}

const rowOf = (id: string | undefined) => fake.vendor.admins.byId(id ?? "");
const lifeOf = (id: string | undefined) => (rowOf(id).expiresAt ?? Number.NaN) - rowOf(id).createdAt;

describe("how long a new key lives", () => {
  it("is as long as the one before", async () => {
    const provider = connect();
    const { id } = fake.vendor.admins.add("before", { lifetimeSeconds: 7200 });
    const like = (await provider.list(signal)).find((key) => key.id === id);
    const made = await provider.create?.({ label: "rotated-a", ...(like && { like }) }, signal);
    expect(lifeOf(made?.id)).toBe(7_200_000);
  });

  it("is as long as the setting says, whatever the one before had", async () => {
    const { id } = fake.vendor.admins.add("before", { lifetimeSeconds: 7200 });
    const provider = connect({ expiresIn: "1h" });
    const like = (await provider.list(signal)).find((key) => key.id === id);
    const made = await provider.create?.({ label: "rotated-b", ...(like && { like }) }, signal);
    expect(lifeOf(made?.id)).toBe(3_600_000);
    expect(openaiAdmin.describe(openaiAdmin.settings.parse({ adminKey: { store: "a" }, expiresIn: "1h" })).keyLifetimeMs).toBe(3_600_000);
  });

  it("has no end where the one before had none", async () => {
    const provider = connect();
    const like = (await provider.list(signal)).find(({ id }) => id === fake.admin.id);
    expect(rowOf((await provider.create?.({ label: "rotated-c", ...(like && { like }) }, signal))?.id).expiresAt).toBeNull();
  });
});

it("reads all pages where the vendor names no last id, and says nothing of more on the last page", async () => {
  const row = (id: string) => ({ id, name: id, redacted_value: "sk-admin-*1", created_at: 1 });
  for (const body of [{ data: [row("key_a"), row("key_b")], has_more: true }, { data: [row("key_c")] }])
    fake.faults.add({ method: "GET", path: "/admin_api_keys", times: 1, fault: { do: "reply", status: 200, body } });
  const keys = await connect().list(signal);
  expect(keys.map(({ id }) => id)).toEqual(["key_a", "key_b", "key_c"]);
  expect(keys[0], "a row that says nothing of its last use").not.toHaveProperty("lastUsedAt");
});

it("takes no single 404 for done while the key lives", async () => {
  const provider = connect();
  const { id } = fake.vendor.admins.add("old", {});
  fake.faults.add({ method: "DELETE", times: 1, fault: { do: "reply", status: 404 } });
  await expect(provider.revoke(id, signal)).rejects.toMatchObject({ code: "inconclusive" });
  await provider.revoke(id, signal);
  expect((await provider.list(signal)).map((key) => key.id)).not.toContain(id);
});

describe("a restricted key", () => {
  it("comes from a person, and says why and how", () => {
    const settings = openaiAdmin.settings.parse({ adminKey: { store: "a" }, scopes: "restricted" });
    expect(openaiAdmin.supplyOf?.(settings)).toBe("intake");
    expect(connect({ scopes: "restricted" })).not.toHaveProperty("create");
    expect(openaiAdmin.describe(settings).notes?.join()).toContain("intake only");
    expect(openaiAdmin.intake?.(settings).steps.join()).toContain("permissions");
  });

  it("is tried by what it may do", async () => {
    const { secret } = fake.vendor.admins.add("restricted", { scopes: "read" });
    const before = fake.log.length;
    for (const verify of ["admin-keys", "projects"]) expect(await connect({ verify }).verify(new Secret(secret), signal)).toBe("accepted");
    expect(fake.log.slice(before).map(({ path }) => path)).toEqual(["/v1/organization/admin_api_keys", "/v1/organization/projects"]);
  });

  it("has the form of an admin key", () => {
    expect(openaiAdmin.keyForm?.pattern.test("sk-admin-canary-x_y-1")).toBe(true);
    for (const other of ["sk-proj-canary", "sk-admin-", "sk-admin-canary and more"])
      expect(openaiAdmin.keyForm?.pattern.test(other)).toBe(false);
  });
});

it("signs each call with what the admin key is then, so that the successor deletes the one before", async () => {
  const provider = connect();
  const old = fake.vendor.admins.add("old");
  adminKey = old.secret;
  const next = await provider.create?.({ label: "rotated-d" }, signal);
  adminKey = next?.secret.reveal() ?? "";
  await provider.revoke(old.id, signal);
  const signers = fake.log.map(({ method, keyId }) => [method, keyId]);
  expect(signers).toEqual([
    ["POST", old.id],
    ["DELETE", next?.id],
  ]);
  expect(await provider.verify(new Secret(old.secret), signal)).toBe("refused");
});

it("takes a wrong address for no deleted key", async () => {
  await expect(connect({ baseUrl: `${fake.url}/organization/elsewhere` }).revoke(fake.reader.id, signal)).rejects.toMatchObject({
    code: "notFound",
  });
  expect(rowOf(fake.reader.id).deletedAt).toBeNull();
});

it("says what to do when the admin key is refused, or may not do it", async () => {
  adminKey = "sk-admin-canary-nobody";
  await expect(connect().list(signal)).rejects.toMatchObject({ code: "unauthorized", hint: expect.stringContaining("adminKey") });
  adminKey = fake.reader.secret;
  await expect(connect().create?.({ label: "rotated-e" }, signal)).rejects.toMatchObject({
    code: "forbidden",
    hint: expect.stringContaining("api.management.write"),
  });
});
