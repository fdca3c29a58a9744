import { AuthenticationError, BadRequestError, NotFoundError, type OpenAI, PermissionDeniedError } from "openai";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { openAiSdk } from "../support/openai-sdk.ts";
import { type FakeOpenAi, startFakeOpenAi } from "./openai.ts";

let fake: FakeOpenAi;
let client: OpenAI;
const project_id = "proj_fake";
const clientOf = (apiKey: string, adminAPIKey?: string) => openAiSdk(fake, apiKey, adminAPIKey);

beforeAll(async () => {
  fake = await startFakeOpenAi({ project: project_id });
  client = openAiSdk(fake);
});
afterEach(() => fake.reset());
afterAll(() => fake.close());

describe("admin keys", () => {
  const keys = () => client.admin.organization.adminAPIKeys;

  it("are made, shown, listed through all pages in both orders, and deleted", async () => {
    const first = await keys().create({ name: "first", expires_in_seconds: 3600 });
    expect(first).toMatchObject({
      object: "organization.admin_api_key",
      name: "first",
      value: expect.stringMatching(/^sk-admin-canary-/),
      created_at: expect.closeTo(Date.now() / 1000, -1),
      expires_at: expect.closeTo(Date.now() / 1000 + 3600, -1),
      last_used_at: null,
      owner: { type: "user", role: "owner" },
    });
    const second = await keys().create({ name: "second" });
    expect(second.expires_at).toBeNull();
    const { value: _, ...row } = first;
    expect(await keys().retrieve(first.id)).toEqual(row);
    expect(JSON.stringify(await keys().retrieve(first.id))).not.toContain("canary");

    const all = [second.id, first.id, fake.reader.id, fake.admin.id];
    for (const order of ["desc", "asc"] as const) {
      const ids: string[] = [];
      for await (const key of keys().list({ limit: 1, order })) ids.push(key.id);
      expect(ids).toEqual(order === "desc" ? all : all.toReversed());
    }
    for (const { id } of [first, second])
      expect(await keys().delete(id)).toEqual({ id, deleted: true, object: "organization.admin_api_key.deleted" });
    await expect(keys().delete(first.id)).rejects.toThrow(NotFoundError);
    await expect(keys().retrieve(first.id)).rejects.toThrow(NotFoundError);
  });

  it("sign calls, show when they last did, and are refused when they are gone", async () => {
    const made = await keys().create({ name: "signs" });
    const own = clientOf(fake.key.secret, made.value).admin.organization;
    await own.projects.list();
    expect((await keys().retrieve(made.id)).last_used_at).toBeCloseTo(Date.now() / 1000, -1);
    // As at the vendor, nothing keeps a key from deleting itself.
    await own.adminAPIKeys.delete(made.id);
    await expect(own.adminAPIKeys.list()).rejects.toMatchObject({ status: 401, code: "invalid_api_key" });
  });

  it("take no scopes, no empty name and no wrong paging; one that may only read changes nothing", async () => {
    await expect(keys().create({ name: "scoped", scopes: ["api.management.read"] } as never)).rejects.toThrow(BadRequestError);
    await expect(keys().create({ name: "" })).rejects.toThrow(BadRequestError);
    await expect(keys().list({ limit: 101 })).rejects.toThrow(BadRequestError);
    await expect(keys().list({ after: "key_nobody" })).rejects.toThrow(BadRequestError);
    const asReader = clientOf(fake.key.secret, fake.reader.secret).admin.organization.adminAPIKeys;
    await expect(asReader.create({ name: "no" })).rejects.toThrow(PermissionDeniedError);
    await expect(clientOf(fake.key.secret, fake.key.secret).admin.organization.adminAPIKeys.list()).rejects.toThrow(PermissionDeniedError);
  });
});

describe("admin API", () => {
  const projects = () => client.admin.organization.projects;

  it("makes, shows, lists and deletes service accounts", async () => {
    const { serviceAccounts } = projects();
    const made = await serviceAccounts.create(project_id, { name: "sdk", expires_in_seconds: 3600 });
    expect(made).toMatchObject({ object: "organization.project.service_account", name: "sdk", role: "member" });
    expect(made.api_key).toMatchObject({
      object: "organization.project.service_account.api_key",
      value: expect.stringMatching(/^sk-svcacct-canary-/),
      created_at: expect.closeTo(Date.now() / 1000, -1),
      expires_at: expect.closeTo(Date.now() / 1000 + 3600, -1),
    });
    const alone = await serviceAccounts.create(project_id, { name: "alone", create_service_account_only: true });
    expect(alone).toMatchObject({ role: "none", api_key: null });

    expect(await serviceAccounts.retrieve(made.id, { project_id })).toMatchObject({ id: made.id, name: "sdk" });
    const ids: string[] = [];
    for await (const account of serviceAccounts.list(project_id, { limit: 1 })) ids.push(account.id);
    expect(ids).toEqual([alone.id, made.id, fake.account.id]);

    expect(await serviceAccounts.delete(made.id, { project_id })).toEqual({
      id: made.id,
      deleted: true,
      object: "organization.project.service_account.deleted",
    });
    await expect(serviceAccounts.retrieve(made.id, { project_id })).rejects.toThrow(NotFoundError);
    await expect(clientOf(made.api_key?.value ?? "").models.list()).rejects.toThrow(AuthenticationError);
  });

  it("makes, shows, narrows and deletes keys", async () => {
    const { apiKeys, serviceAccounts } = projects();
    const made = await serviceAccounts.apiKeys.create(fake.account.id, { project_id, name: "sdk key", scopes: ["api.all.read"] });
    expect(made).toMatchObject({ object: "organization.project.service_account.api_key", name: "sdk key", expires_at: null });
    const row = await apiKeys.retrieve(made.id, { project_id });
    expect(row).toMatchObject({
      object: "organization.project.api_key",
      name: "sdk key",
      last_used_at: null,
      owner: { type: "service_account", service_account: { id: fake.account.id, name: "shared", role: "member" } },
      owner_project_access: "active",
    });
    expect(row.redacted_value).not.toContain("canary");
    const narrowed = await apiKeys.update(made.id, { project_id, scopes: ["api.responses.write"], expires_in_seconds: 60 });
    expect(narrowed).toMatchObject({ id: made.id, expires_at: expect.closeTo(Date.now() / 1000 + 60, -1) });
    await expect(clientOf(made.value).models.list()).rejects.toThrow(PermissionDeniedError);
    await apiKeys.update(made.id, { project_id, scopes: [] });
    await clientOf(made.value).models.list();
    expect((await apiKeys.retrieve(made.id, { project_id })).last_used_at).toBeCloseTo(Date.now() / 1000, -1);
    expect(await apiKeys.delete(made.id, { project_id })).toEqual({
      id: made.id,
      deleted: true,
      object: "organization.project.api_key.deleted",
    });
    await expect(apiKeys.delete(made.id, { project_id })).rejects.toThrow(NotFoundError);
  });

  it("lists keys through all pages", async () => {
    for (let n = 0; n < 25; n++) fake.vendor.addKey(fake.account, `page ${n}`);
    const ids: string[] = [];
    for await (const key of projects().apiKeys.list(project_id, { limit: 10, owner_project_access: "any" })) ids.push(key.id);
    expect(ids).toEqual(fake.vendor.listed().map((key) => key.id));
    const page = await projects().apiKeys.list(project_id, {});
    expect(page.data).toHaveLength(20);
    expect(page.hasNextPage()).toBe(true);
  });

  it("hides keys without access, unless asked for any", async () => {
    const hidden = fake.vendor.addKey(fake.vendor.addAccount("none", "none"), "hidden").id;
    const listed = async (query: object) => (await projects().apiKeys.list(project_id, { limit: 100, ...query })).data.map(({ id }) => id);
    expect(await listed({})).not.toContain(hidden);
    expect(await listed({ owner_project_access: "inactive" })).toEqual([hidden]);
    expect(await listed({ owner_project_access: "any" })).toContain(hidden);
  });

  it("refuses what the vendor refuses", async () => {
    const { apiKeys, serviceAccounts } = projects();
    const unknown = { name: "x", colour: "red" };
    await expect(serviceAccounts.create(project_id, unknown)).rejects.toMatchObject({
      status: 400,
      param: "colour",
      code: "unknown_parameter",
    });
    await expect(serviceAccounts.create(project_id, {} as { name: string })).rejects.toThrow(BadRequestError);
    await expect(apiKeys.list(project_id, { limit: 101 })).rejects.toThrow(BadRequestError);
    await expect(apiKeys.list(project_id, { after: "key_unknown" })).rejects.toThrow(BadRequestError);
    await expect(apiKeys.update(fake.key.id, { project_id })).rejects.toThrow(BadRequestError);
    await expect(apiKeys.list("proj_other")).rejects.toThrow(NotFoundError);
    const asUser = clientOf(fake.key.secret, fake.key.secret).admin.organization.projects;
    await expect(asUser.apiKeys.list(project_id)).rejects.toThrow(PermissionDeniedError);
    const asNobody = clientOf(fake.key.secret, "sk-admin-canary-nobody").admin.organization.projects;
    await expect(asNobody.apiKeys.list(project_id)).rejects.toThrow(AuthenticationError);
    const asReader = clientOf(fake.key.secret, fake.reader.secret).admin.organization.projects;
    await expect(asReader.serviceAccounts.create(project_id, { name: "x" })).rejects.toThrow(PermissionDeniedError);
    fake.vendor.rules.keysArePermanent = true;
    await expect(apiKeys.delete(fake.key.id, { project_id })).rejects.toThrow(BadRequestError);
  });

  it("refuses a wrong method, path, body or header", async () => {
    const headers = { authorization: `Bearer ${fake.admin.secret}`, "content-type": "application/json" };
    const status = async (path: string, init: RequestInit) => (await fetch(`${fake.url}${path}`, { headers, ...init })).status;
    const keys = `/organization/projects/${project_id}/api_keys`;
    expect(await status(keys, { method: "PUT" })).toBe(405);
    expect(await status(`/organization/keys`, {})).toBe(404);
    expect(await status(`${keys}?colour=red`, {})).toBe(400);
    expect(await status(`${keys}/${fake.key.id}`, { method: "POST", body: "{" })).toBe(400);
    expect(
      await status(`${keys}/${fake.key.id}`, { method: "POST", body: "{}", headers: { ...headers, "content-type": "text/plain" } }),
    ).toBe(415);
    expect(await status(keys, { headers: {} })).toBe(401);
  });
});
