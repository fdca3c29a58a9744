import { CognitiveServicesManagementClient } from "@azure/arm-cognitiveservices";
import { ClientSecretCredential, type TokenCredential, type TokenCredentialOptions } from "@azure/identity";
import { AzureOpenAI } from "openai";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type FakeAzureOpenAi, startFakeAzureOpenAi } from "./azure-openai.ts";

/** Microsoft's and OpenAI's own clients judge the fake: what they cannot read or send otherwise, the fake has wrong. */
let fake: FakeAzureOpenAi;
let client: CognitiveServicesManagementClient;

beforeAll(async () => {
  fake = await startFakeAzureOpenAi();
  client = clientOf(await signIn());
});
afterEach(() => fake.reset());
afterAll(() => fake.close());

/** The identity library speaks https only: what it wants sent to Entra is sent to the fake. */
async function signIn(secret = fake.admin.secret, scope = `${fake.url}/.default`): Promise<TokenCredential> {
  const httpClient: NonNullable<TokenCredentialOptions["httpClient"]> = {
    async sendRequest(request) {
      const headers = request.headers.toJSON();
      const url = request.url.replace(/^https:/, "http:");
      const response = await fetch(url, { method: request.method, headers, ...(request.body ? { body: String(request.body) } : {}) });
      return { request, status: response.status, headers: request.headers, bodyAsText: await response.text() };
    },
  };
  const { tenant, client: id } = fake.admin;
  const authorityHost = fake.url.replace(/^http:/, "https:");
  const options = { httpClient, authorityHost, disableInstanceDiscovery: true, retryOptions: { maxRetries: 0 } };
  const token = await new ClientSecretCredential(tenant, id, secret, options).getToken(scope);
  return { getToken: async () => token };
}

function clientOf(credential: TokenCredential, subscription = fake.vendor.subscription): CognitiveServicesManagementClient {
  const options = { endpoint: fake.url, $host: fake.url, allowInsecureConnection: true, retryOptions: { maxRetries: 0 } };
  const made = new CognitiveServicesManagementClient(credential, subscription, options);
  // Its sign-in policy refuses to put a token on plain text; what the policy would add is added here.
  made.pipeline.removePolicy({ name: "bearerTokenAuthenticationPolicy" });
  made.pipeline.addPolicy({
    name: "token",
    async sendRequest(request, next) {
      request.headers.set("authorization", `Bearer ${(await credential.getToken([]))?.token}`);
      return next(request);
    },
  });
  return made;
}

const secrets = () => fake.vendor.both().map(({ secret }) => secret);

describe("Resource Manager, to Microsoft's client", () => {
  it("lists both keys", async () => {
    const { key1, key2 } = await client.accounts.listKeys("fake-group", "fake-account");
    expect([key1, key2]).toEqual(secrets());
  });

  it.each(["Key1", "Key2"] as const)("regenerates %s and leaves the other one alone", async (name) => {
    const before = secrets();
    const { key1, key2 } = await client.accounts.regenerateKey("fake-group", "fake-account", name);
    expect([key1, key2]).toEqual(secrets());
    const same = [key1, key2].map((value, index) => value === before[index]);
    expect(same).toEqual(name === "Key1" ? [false, true] : [true, false]);
    expect(before.map((secret) => fake.vendor.accepts(secret))).toEqual(same);
  });

  it("refuses what Azure refuses, in the shape that its client reads", async () => {
    const look = (group: string, account: string) => client.accounts.listKeys(group, account);
    await expect(look("other", "fake-account")).rejects.toMatchObject({ statusCode: 404, code: "ResourceGroupNotFound" });
    await expect(look("fake-group", "other")).rejects.toMatchObject({ statusCode: 404, code: "ResourceNotFound" });
    const elsewhere = clientOf(await signIn(), "33333333-3333-4333-8333-333333333333");
    await expect(elsewhere.accounts.listKeys("fake-group", "fake-account")).rejects.toMatchObject({ code: "SubscriptionNotFound" });
    const nobody = clientOf({ getToken: async () => ({ token: "eyJ.canary-nobody", expiresOnTimestamp: Date.now() + 60_000 }) });
    await expect(nobody.accounts.listKeys("fake-group", "fake-account")).rejects.toMatchObject({ code: "InvalidAuthenticationToken" });
    const audience = clientOf(await signIn(undefined, "https://vault.azure.net/.default"));
    await expect(audience.accounts.listKeys("fake-group", "fake-account")).rejects.toMatchObject({
      code: "InvalidAuthenticationTokenAudience",
    });
  });

  it("throttles so that its client sees how long", async () => {
    fake.faults.add({ path: "/listKeys$", times: 1, fault: { do: "rateLimit", retryAfter: "7" } });
    const error = (await client.accounts.listKeys("fake-group", "fake-account").catch((reason: unknown) => reason)) as {
      response?: { headers: { get(name: string): string | undefined } };
    };
    expect(error).toMatchObject({ statusCode: 429, code: "TooManyRequests" });
    expect(error.response?.headers.get("retry-after")).toBe("7");
  });

  it("signs in nobody with another secret", async () => {
    await expect(signIn("canary-wrong")).rejects.toThrow(/AADSTS7000215/);
  });
});

describe("the account, to OpenAI's client", () => {
  const openai = (apiKey: string) => new AzureOpenAI({ endpoint: fake.url, apiKey, apiVersion: "2024-10-21", maxRetries: 0 });

  it("lists models for a key in a slot, and no other", async () => {
    expect((await openai(fake.vendor.slot("Key1").secret).models.list()).data.map(({ id }) => id)).toContain("fake-1");
    await expect(openai("canary-nobody").models.list()).rejects.toMatchObject({ status: 401, code: "401" });
  });
});

describe("strictness", () => {
  const post = async (action: string, query: string, body?: object, contentType = "application/json") => {
    const token = (await (await signIn()).getToken([]))?.token;
    const { subscription } = fake.vendor;
    const path = `/subscriptions/${subscription}/resourceGroups/fake-group/providers/Microsoft.CognitiveServices/accounts/fake-account`;
    const init = { method: "POST", headers: { authorization: `Bearer ${token}`, "content-type": contentType } };
    return (await fetch(`${fake.url}${path}/${action}${query}`, { ...init, ...(body && { body: JSON.stringify(body) }) })).status;
  };

  it("knows one version, one body and one type of it", async () => {
    const before = secrets();
    const version = "?api-version=2025-09-01";
    expect(await post("listKeys", "")).toBe(400);
    expect(await post("listKeys", "?api-version=1999-01-01")).toBe(400);
    expect(await post("listKeys", `${version}&colour=red`)).toBe(400);
    expect(await post("regenerateKey", version)).toBe(400);
    expect(await post("regenerateKey", version, { keyName: "key1" })).toBe(400);
    expect(await post("regenerateKey", version, { keyName: "Key1", colour: "red" })).toBe(400);
    expect(await post("regenerateKey", version, { keyName: "Key1" }, "text/plain")).toBe(415);
    expect(await post("regenerateSecret", version, { keyName: "Key1" })).toBe(404);
    expect(secrets()).toEqual(before);
    expect(await post("regenerateKey", version, { keyName: "Key1" })).toBe(200);
  });
});
