import { OpenRouter } from "@openrouter/sdk";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type FakeOpenRouter, startFakeOpenRouter } from "./openrouter.ts";

/** The vendor's own client judges the fake: what it cannot read or sends otherwise, the fake has wrong. */
let fake: FakeOpenRouter;
let client: OpenRouter;

beforeAll(async () => {
  fake = await startFakeOpenRouter();
  client = clientOf(fake.managementKey);
});
afterEach(() => fake.reset());
afterAll(() => fake.close());

function clientOf(apiKey: string): OpenRouter {
  return new OpenRouter({ apiKey, serverURL: fake.url, retryConfig: { strategy: "none" } });
}

const make = (name: string, more: object = {}) => client.apiKeys.create({ requestBody: { name, ...more } });

describe("management API", () => {
  it("makes, shows, switches, lists and deletes keys", async () => {
    const expiresAt = new Date(Date.now() + 3_600_000);
    const made = await make("sdk", { limit: 5, limitReset: "daily", includeByokInLimit: true, expiresAt, creatorUserId: "user_1" });
    expect(made.key).toMatch(/^sk-or-v1-canary/);
    const { hash } = made.data;
    const shown = (await client.apiKeys.get({ hash })).data;
    expect(shown).toMatchObject({ name: "sdk", limit: 5, limitRemaining: 5, limitReset: "daily", creatorUserId: "user_1" });
    expect(shown.expiresAt).toEqual(expiresAt);
    expect(shown.label).not.toContain("canary");

    await client.apiKeys.update({ hash, requestBody: { disabled: true, name: "other" } });
    const listed = async (query: object) => (await client.apiKeys.list(query)).data.map((key) => key.hash);
    expect(await listed({})).not.toContain(hash);
    expect(await listed({ includeDisabled: true })).toContain(hash);

    expect(await client.apiKeys.delete({ hash })).toEqual({ deleted: true });
    await expect(client.apiKeys.delete({ hash })).rejects.toMatchObject({ statusCode: 404, error: { code: 404 } });
  });

  it("pages by 100, newest first, one workspace at a time", async () => {
    const workspaceId = fake.vendor.addWorkspace();
    for (let n = 0; n < 105; n++) fake.vendor.addKey(`page ${n}`, { workspaceId });
    const names = async (offset: number) => (await client.apiKeys.list({ workspaceId, offset })).data.map(({ name }) => name);
    expect(await names(0)).toHaveLength(100);
    expect(await names(100)).toEqual(["page 4", "page 3", "page 2", "page 1", "page 0"]);
    expect(await names(105)).toEqual([]);
    const made = await make("elsewhere", { workspaceId });
    expect((await client.apiKeys.list()).data.map(({ hash }) => hash)).not.toContain(made.data.hash);
  });

  it("binds keys to guardrails, and shows which", async () => {
    const guardrail = fake.vendor.addGuardrail();
    const { data } = await make("bound");
    const request = { id: guardrail, bulkAssignKeysRequest: { keyHashes: [data.hash] } };
    expect(await client.guardrails.bulkAssignKeys(request)).toEqual({ assignedCount: 1 });
    const { result } = await client.guardrails.listKeyAssignments({ limit: 100 });
    expect(result).toMatchObject({ totalCount: 1, data: [{ keyHash: data.hash, guardrailId: guardrail, keyName: "bound" }] });
    const another = fake.vendor.addGuardrail();
    await client.guardrails.bulkAssignKeys({ ...request, id: another });
    const moved = await client.guardrails.listKeyAssignments({ limit: 100 });
    expect(moved.result, "a key holds at most one").toMatchObject({ totalCount: 1, data: [{ guardrailId: another }] });
    await expect(client.guardrails.bulkAssignKeys({ ...request, id: "unknown" })).rejects.toMatchObject({ statusCode: 404 });
  });

  it("refuses what the vendor refuses", async () => {
    await expect(make("", {})).rejects.toMatchObject({ statusCode: 400, error: { code: 400 } });
    await expect(make("x", { workspaceId: "unknown" })).rejects.toMatchObject({ statusCode: 400 });
    await expect(make("x", { limitReset: "hourly" })).rejects.toMatchObject({ statusCode: 400 });
    await expect(make("x", { external: { user: "u", apiKey: "short" } })).rejects.toMatchObject({ statusCode: 400 });
    await expect(make("x", { expiresAt: new Date(0) })).rejects.toMatchObject({ statusCode: 400 });
    await expect(client.apiKeys.get({ hash: "unknown" })).rejects.toMatchObject({ statusCode: 404 });
    const key = fake.vendor.addKey("inference only");
    await expect(clientOf(key.secret).apiKeys.list()).rejects.toMatchObject({ statusCode: 401, error: { code: 401 } });
    await expect(clientOf("sk-or-v1-canary-nobody").apiKeys.list()).rejects.toMatchObject({ statusCode: 401 });
  });

  it("refuses unknown fields, other times, a wrong method, path, body or header", async () => {
    const headers = { authorization: `Bearer ${fake.managementKey}`, "content-type": "application/json" };
    const status = async (path: string, init: RequestInit) => (await fetch(`${fake.url}${path}`, { headers, ...init })).status;
    const post = (body: object) => status("/keys", { method: "POST", body: JSON.stringify(body) });
    expect(await post({ name: "x", colour: "red" })).toBe(400);
    expect(await post({ name: "x", expires_at: "2099-01-01T00:00Z" })).toBe(400);
    expect(await post({ name: "x", expires_at: "2099-01-01T00:00:00+02:00" })).toBe(400);
    expect(await post({ name: "x", expires_at: "2099-01-01T00:00:00Z" })).toBe(201);
    const { hash } = fake.vendor.addKey("patched");
    const later = JSON.stringify({ expires_at: "2099-01-01T00:00:00Z" });
    expect(await status(`/keys/${hash}`, { method: "PATCH", body: later })).toBe(400);
    expect(await status("/keys?limit=10", {})).toBe(400);
    expect(await status("/keys?offset=-1", {})).toBe(400);
    expect(await status("/keys", { method: "PUT" })).toBe(404);
    expect(await status("/key-list", {})).toBe(404);
    expect(await status("/keys", { method: "POST", body: "{" })).toBe(400);
    expect(await status("/keys", { method: "POST", body: "{}", headers: { ...headers, "content-type": "text/plain" } })).toBe(400);
    expect(await status("/keys", { headers: {} })).toBe(401);
  });
});

describe("what a key asks with itself", () => {
  const own = async (secret: string) => (await clientOf(secret).apiKeys.getCurrentKeyMetadata()).data;
  const chat = (secret: string) =>
    clientOf(secret).chat.send({ chatRequest: { model: "fake/model-1", messages: [{ role: "user", content: "ping" }], maxTokens: 1 } });

  it("tells a key of its limit, and a management key what it is", async () => {
    const key = fake.vendor.addKey("own", { limit: 3, usage: 1 });
    expect(await own(key.secret)).toMatchObject({ limit: 3, limitRemaining: 2, isManagementKey: false, usage: 1 });
    expect(await own(fake.managementKey)).toMatchObject({ isManagementKey: true, limitRemaining: null });
  });

  it("refuses a key that is not there, switched off or expired, and one that may not", async () => {
    const key = fake.vendor.addKey("switched", { limit: 3 });
    expect(await chat(key.secret)).toMatchObject({ choices: [{ message: { content: "pong" } }] });
    await expect(chat(fake.managementKey)).rejects.toMatchObject({ statusCode: 403 });
    key.usage = 3;
    expect(await own(key.secret)).toMatchObject({ limitRemaining: 0 });
    await expect(chat(key.secret)).rejects.toMatchObject({ statusCode: 403 });
    key.disabled = true;
    await expect(own(key.secret)).rejects.toMatchObject({ statusCode: 401 });
    await expect(own(fake.vendor.addKey("old", { expiresAt: 1 }).secret)).rejects.toMatchObject({ statusCode: 401 });
    await expect(own("sk-or-v1-canary-nobody")).rejects.toMatchObject({ statusCode: 401, error: { code: 401 } });
  });
});
