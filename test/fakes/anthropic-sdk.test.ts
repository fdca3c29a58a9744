import Anthropic, { AuthenticationError, BadRequestError, NotFoundError, PermissionDeniedError } from "@anthropic-ai/sdk";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type FakeAnthropic, startFakeAnthropic } from "./anthropic.ts";

/** Anthropic's own client judges the fake: what it cannot read or send otherwise, the fake has wrong. */
let fake: FakeAnthropic;
let admin: Anthropic;

beforeAll(async () => {
  fake = await startFakeAnthropic();
  admin = clientOf(fake.admin.secret);
});
afterEach(() => fake.reset());
afterAll(() => fake.close());

const clientOf = (apiKey: string) => new Anthropic({ apiKey, baseURL: fake.url, maxRetries: 0 });
const { apiKeys, workspaces } = { apiKeys: () => admin.organization.apiKeys, workspaces: () => admin.organization.workspaces };
const ping: Anthropic.MessageCreateParamsNonStreaming = {
  model: "claude-fake-1",
  max_tokens: 1,
  messages: [{ role: "user", content: "ping" }],
};

describe("the Admin API, to Anthropic's client", () => {
  it("lists keys through all pages, newest first, by status and by workspace", async () => {
    const there = fake.vendor.addWorkspace();
    for (let n = 0; n < 50; n++) fake.vendor.addKey(`page ${n}`, { workspace: n % 2 === 0 ? there : null });
    const gone = fake.vendor.addKey("gone", { workspace: there, state: "archived" });
    const listed = async (query: Parameters<Anthropic["organization"]["apiKeys"]["list"]>[0]) => {
      const ids: string[] = [];
      for await (const { id } of apiKeys().list(query)) ids.push(id);
      return ids;
    };
    const every = fake.vendor.everyKey().toReversed();
    expect(await listed({ limit: 7 })).toEqual(every.map(({ id }) => id));
    expect(await listed({})).toEqual(every.map(({ id }) => id));
    expect(await listed({ status: "archived" })).toEqual([gone.id]);
    expect(await listed({ workspace_id: there })).toHaveLength(26);
    expect(await listed({ workspace_id: fake.vendor.defaultWorkspace })).toHaveLength(25);
    expect(fake.log.length).toBeGreaterThan(10);
  });

  it("shows a key as the client's types have it", async () => {
    const { id, secret } = fake.vendor.addKey("shown", { expiresAt: Date.now() + 86_400_000 });
    const row = await apiKeys().retrieve(id);
    expect(row).toMatchObject({ id, name: "shown", status: "active", type: "api_key", principal: { type: "service_account_actor" } });
    expect(row.scope).toEqual({ type: "workspace", workspace_id: fake.vendor.defaultWorkspace });
    expect(Date.parse(row.expires_at ?? "")).toBeGreaterThan(Date.now());
    const [start = "?", end = "?"] = row.partial_key_hint?.split("...") ?? [];
    expect(secret.startsWith(start) && secret.endsWith(end)).toBe(true);
    expect(JSON.stringify(row)).not.toContain(secret);
  });

  it("renames, switches off and on, and archives", async () => {
    const { id, secret } = fake.vendor.addKey("changed");
    const works = () =>
      clientOf(secret)
        .models.list()
        .then(
          () => true,
          () => false,
        );
    expect((await apiKeys().update(id, { name: "rotated-x-y" })).name).toBe("rotated-x-y");
    expect((await apiKeys().update(id, { status: "inactive" })).status).toBe("inactive");
    expect(await works()).toBe(false);
    expect((await apiKeys().update(id, { status: "active" })).status).toBe("active");
    expect(await works()).toBe(true);
    expect((await apiKeys().update(id, { status: "archived" })).status).toBe("archived");
    expect(await works()).toBe(false);
  });

  it("shows a workspace", async () => {
    expect(await workspaces().retrieve(fake.vendor.defaultWorkspace)).toMatchObject({ type: "workspace", archived_at: null });
    await expect(workspaces().retrieve("wrkspc_none")).rejects.toBeInstanceOf(NotFoundError);
  });

  it("refuses what Anthropic refuses, as errors that its client knows", async () => {
    await expect(apiKeys().retrieve("apikey_none")).rejects.toBeInstanceOf(NotFoundError);
    await expect(clientOf("sk-ant-admin01-canary-nobody").organization.apiKeys.list()).rejects.toBeInstanceOf(AuthenticationError);
    await expect(clientOf(fake.vendor.addKey("plain").secret).organization.apiKeys.list()).rejects.toBeInstanceOf(AuthenticationError);
    await expect(apiKeys().list({ status: "lost" as "active" })).rejects.toBeInstanceOf(BadRequestError);
    const { id } = fake.vendor.addKey("full", { state: "inactive" });
    fake.vendor.rules.mostActive = 1;
    await expect(apiKeys().update(id, { status: "active" })).rejects.toMatchObject({ errorCode: "org_api_key_limit_exceeded" });
    Object.assign(fake.vendor.rules, { mostActive: null, mostActiveInWorkspace: 1 });
    await expect(apiKeys().update(id, { status: "active" })).rejects.toBeInstanceOf(Anthropic.BadRequestError);
  });
});

describe("the inference API, to Anthropic's client", () => {
  it("lists models and answers a message", async () => {
    const client = clientOf(fake.vendor.addKey("used").secret);
    expect((await client.models.list({ limit: 1 })).data).toHaveLength(1);
    expect((await client.messages.create(ping)).content).toMatchObject([{ type: "text", text: "pong" }]);
    await expect(client.messages.create({ ...ping, model: "none" })).rejects.toBeInstanceOf(NotFoundError);
    await expect(client.messages.create(Object.assign({ temperature: 1 }, ping))).rejects.toBeInstanceOf(BadRequestError);
  });

  it("refuses a key that is unknown, off, archived or expired with one and the same error, and one that may not with another", async () => {
    const refused = [
      fake.vendor.addKey("off", { state: "inactive" }).secret,
      fake.vendor.addKey("archived", { state: "archived" }).secret,
      fake.vendor.addKey("expired", { expiresAt: Date.now() - 1 }).secret,
      "sk-ant-api03-canary-nobody",
    ];
    for (const secret of refused) {
      await expect(clientOf(secret).models.list()).rejects.toMatchObject({ status: 401, type: "authentication_error" });
    }
    const { secret } = fake.vendor.addKey("forbidden", { forbidden: true });
    await expect(clientOf(secret).models.list()).rejects.toBeInstanceOf(PermissionDeniedError);
  });
});

describe("strictness", () => {
  const ask = async (path: string, init: RequestInit & { headers?: Record<string, string> } = {}) => {
    const headers = { "x-api-key": fake.admin.secret, "anthropic-version": "2023-06-01", ...init.headers };
    return (await fetch(`${fake.url}/v1/organizations${path}`, { ...init, headers })).status;
  };
  const json = { "content-type": "application/json" };

  it("knows no create, no delete, no unknown field, parameter, version or content type", async () => {
    const { id } = fake.vendor.addKey("strict");
    expect(await ask(`/api_keys/${id}`)).toBe(200);
    expect(await ask("/api_keys", { method: "POST", body: '{"name":"x"}', headers: json })).toBe(405);
    expect(await ask(`/api_keys/${id}`, { method: "DELETE" })).toBe(405);
    expect(await ask(`/api_keys/${id}`, { method: "POST", body: '{"colour":"red"}', headers: json })).toBe(400);
    expect(await ask(`/api_keys/${id}`, { method: "POST", body: '{"status":"expired"}', headers: json })).toBe(400);
    expect(await ask(`/api_keys/${id}`, { method: "POST", body: '{"name":"x"}', headers: { "content-type": "text/plain" } })).toBe(400);
    expect(await ask("/api_keys?colour=red")).toBe(400);
    expect(await ask("/api_keys?limit=1001")).toBe(400);
    expect(await ask("/api_keys?after_id=apikey_none")).toBe(400);
    expect(await ask("/api_keys?workspace_id=wrkspc_none")).toBe(404);
    expect(await ask("/api_keys", { headers: { "anthropic-version": "2020-01-01" } })).toBe(400);
    expect(await ask("/api_keys", { headers: { authorization: `Bearer ${fake.admin.secret}` } })).toBe(400);
  });

  it("says where a key belongs in the words of the version", async () => {
    const { id } = fake.vendor.addKey("worded");
    const headers = { "x-api-key": fake.admin.secret, "anthropic-version": "2023-06-01" };
    const row = (await (await fetch(`${fake.url}/v1/organizations/api_keys/${id}`, { headers })).json()) as object;
    expect(row).toMatchObject({ workspace_id: null });
    expect(row).not.toHaveProperty("scope");
  });
});
