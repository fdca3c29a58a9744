import { ApiKeysClient } from "@google-cloud/apikeys";
import { gaxios, JWT, OAuth2Client } from "google-auth-library";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type FakeGemini, startFakeGemini } from "./gemini.ts";

/**
 * Google's own clients judge the fake: what they cannot read or send otherwise, the fake has wrong. The client's types know no
 * `serviceAccountEmail` yet, so that field is asked of the fake by plain requests.
 */
let fake: FakeGemini;
let client: ApiKeysClient;
let token: string;
const parent = "projects/fake-project/locations/global";

beforeAll(async () => {
  fake = await startFakeGemini("fake-project");
  token = await signIn(fake.admin);
  client = clientOf(token);
});
afterEach(() => fake.reset());
afterAll(async () => {
  await client.close();
  await fake.close();
});

async function signIn(accountKey: string): Promise<string> {
  const transporter = new gaxios.Gaxios();
  transporter.interceptors.request.add({ resolved: async (config) => ({ ...config, url: new URL(`${fake.url}/token`) }) });
  const jwt = new JWT({ transporter, scopes: ["https://www.googleapis.com/auth/cloud-platform"] });
  jwt.fromJSON(JSON.parse(accountKey));
  return (await jwt.authorize()).access_token ?? "";
}

function clientOf(accessToken: string): ApiKeysClient {
  const authClient = new OAuth2Client();
  authClient.setCredentials({ access_token: accessToken, expiry_date: Date.now() + 3_000_000 });
  const { hostname, port } = new URL(fake.url);
  return new ApiKeysClient({ fallback: true, protocol: "http", apiEndpoint: hostname, port: Number(port), authClient });
}

async function make(keyId: string) {
  const restrictions = { apiTargets: [{ service: "generativelanguage.googleapis.com" }] };
  const [operation] = await client.createKey({ parent, keyId, key: { displayName: keyId, annotations: { by: "sdk" }, restrictions } });
  const [key] = await operation.promise();
  return { ...key, name: key.name ?? "" };
}

describe("the API Keys API, to Google's client", () => {
  it("makes a key by an operation, shows it, and gives its string", async () => {
    const made = await make("sdk-made");
    expect(made).toMatchObject({ name: "projects/123456789012/locations/global/keys/sdk-made", displayName: "sdk-made" });
    const [shown] = await client.getKey({ name: made.name });
    expect(shown).toMatchObject({ uid: made.uid, annotations: { by: "sdk" }, deleteTime: null });
    expect(Number(shown.createTime?.seconds)).toBeCloseTo(Date.now() / 1000, -1);
    expect(shown.restrictions?.apiTargets).toMatchObject([{ service: "generativelanguage.googleapis.com" }]);
    const [{ keyString }] = await client.getKeyString({ name: made.name });
    expect(keyString).toMatch(/^AQ\.canary-/);
    expect((await client.lookupKey({ keyString: keyString ?? "" }))[0]).toMatchObject({ name: made.name });
  });

  it("lists keys through all pages, the deleted ones only when asked", async () => {
    for (let n = 0; n < 120; n++) fake.vendor.addKey(undefined, `page ${n}`);
    fake.vendor.addKey("sdk-gone", "gone", { deletedAt: Date.now() });
    const listed = async (showDeleted: boolean) => {
      const ids: string[] = [];
      for await (const key of client.listKeysAsync({ parent, pageSize: 50, showDeleted })) ids.push(key.name?.split("/").at(-1) ?? "");
      return ids;
    };
    const every = fake.vendor.everyKey();
    expect(await listed(true)).toEqual(every.map(({ id }) => id));
    expect(await listed(false)).toEqual(every.flatMap(({ id, deletedAt }) => (deletedAt === null ? [id] : [])));
  });

  it("deletes softly, and takes it back", async () => {
    const { name } = await make("sdk-back");
    const [deletion] = await client.deleteKey({ name });
    expect((await deletion.promise())[0].deleteTime).not.toBeNull();
    await expect(client.deleteKey({ name })).rejects.toMatchObject({ code: 9 });
    const [way] = await client.undeleteKey({ name });
    expect((await way.promise())[0].deleteTime).toBeNull();
  });

  it("refuses what Google refuses, in words that its client knows", async () => {
    await make("sdk-twice");
    await expect(make("sdk-twice")).rejects.toMatchObject({ code: 6 });
    await expect(make("Not-An-Id")).rejects.toMatchObject({ code: 3 });
    await expect(client.getKey({ name: `${parent}/keys/never-was` })).rejects.toMatchObject({ code: 5 });
    await expect(client.getKey({ name: "projects/other/locations/global/keys/x" })).rejects.toMatchObject({ code: 7 });
    await expect(clientOf("ya29.canary-nobody").getKey({ name: `${parent}/keys/x` })).rejects.toMatchObject({ code: 16 });
    const reader = clientOf(await signIn(fake.reader));
    await expect(reader.deleteKey({ name: `${parent}/keys/sdk-twice` })).rejects.toMatchObject({ code: 7 });
  });
});

describe("strictness", () => {
  const post = async (path: string, body: object, headers: Record<string, string> = {}) => {
    const init = { authorization: `Bearer ${token}`, "content-type": "application/json", ...headers };
    return (await fetch(`${fake.url}/v2/${parent}${path}`, { method: "POST", headers: init, body: JSON.stringify(body) })).status;
  };

  it("knows bound keys, and no unknown field, parameter or content type", async () => {
    expect(await post("/keys?keyId=strict-1", { serviceAccountEmail: "a@b.iam.gserviceaccount.com" })).toBe(200);
    expect(fake.vendor.key("strict-1").serviceAccountEmail).toBe("a@b.iam.gserviceaccount.com");
    expect(await post("/keys?keyId=strict-2", { colour: "red" })).toBe(400);
    expect(await post("/keys?keyId=strict-2", { restrictions: { apiTargets: [{ colour: "red" }] } })).toBe(400);
    expect(await post("/keys?keyId=strict-2&colour=red", {})).toBe(400);
    expect(await post("/keys?keyId=strict-2", {}, { "content-type": "text/plain" })).toBe(400);
    expect(await post("/locks", {})).toBe(404);
    expect(fake.vendor.knows("strict-2")).toBe(false);
  });

  it("gives no token for a signature of somebody else", async () => {
    const [mine, theirs] = [JSON.parse(fake.admin), JSON.parse(fake.reader)];
    await expect(signIn(JSON.stringify({ ...mine, private_key: theirs.private_key }))).rejects.toThrow(/invalid_grant/);
  });
});
