import { randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { vault } from "../../adapters/stores/vault.ts";
import { Secret } from "../../src/contract/secret.ts";
import { type BaoWorld, baoWorld, newToken, ROLE, setPolicy, setRole, startBaoWithRoles } from "../support/bao-world.ts";
import type { OpenBao } from "../support/openbao.ts";
import { refusal } from "../support/refusal.ts";
import { itIsEnoughAndNoMore, shippedPolicy } from "../support/shipped-policy.ts";

const { signal } = new AbortController();
const POLICY = shippedPolicy("vault-policy.hcl");
const PATH = "apps/openclaw";

let bao: OpenBao;
let mount: string;
let world: BaoWorld;

beforeAll(async () => {
  bao = await startBaoWithRoles();
});
afterAll(() => bao.close());
beforeEach(async () => {
  mount = randomUUID();
  await bao.call("POST", `sys/mounts/${mount}`, { type: "kv", options: { version: "2" } });
  await setPolicyHere(POLICY);
  world = await baoWorld(bao);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await bao.call("DELETE", `sys/mounts/${mount}`);
  await world.close();
});

const setPolicyHere = (policy: string) => setPolicy(bao, policy.replaceAll("secret/", `${mount}/`));
const ROOT = { token: { credential: "root" } };

function connect(auth: object = ROOT, more: { settings?: object; place?: object } = {}) {
  const settings = vault.settings.parse({ url: bao.url, mount, auth, ...more.settings });
  return vault.connect(settings, vault.place.parse({ path: PATH, field: "apiKey", ...more.place }), { credential: "prod" }, world);
}

async function newRole(): Promise<{ roleId: string; secretId: { credential: string } }> {
  const roleId = await setRole(bao);
  world.secrets["secret-id"] = (await bao.call("POST", `${ROLE}/secret-id`, {})).body.data.secret_id;
  return { roleId, secretId: { credential: "secret-id" } };
}

const paths = () => world.paths().map((path) => path.replace(mount, "secret"));
const lastToken = () => world.sent.at(-1)?.headers["x-vault-token"] ?? "";
const document = async (path = PATH) => (await bao.call("GET", `${mount}/data/${path}`)).body.data;

async function rotate(store = connect()): Promise<void> {
  await store.stage("v1", new Secret("sk-canary-one"), signal);
  await store.promote("v1", undefined, signal);
  await store.stage("v2", new Secret("sk-canary-two"), signal);
  await store.promote("v2", "v1", signal);
}

it("refuses a mount that deletes what it keeps by itself: a rotation would lose its keys", async () => {
  await connect().preflight(signal);
  await bao.call("POST", `${mount}/config`, { delete_version_after: "1h" });
  await expect(connect().preflight(signal)).rejects.toMatchObject({
    code: "misconfigured",
    hint: expect.stringContaining("delete_version_after"),
  });
});

describe("the document", () => {
  it("keeps the other fields as they were", async () => {
    const others = { n: 1.5, big: 2 ** 60, deep: { list: [1, null, "1.0", { a: false }] }, "": "", __proto__x: "y" };
    await bao.call("POST", `${mount}/data/${PATH}`, { data: others });
    await rotate();
    expect((await document()).data).toEqual({ ...others, apiKey: "sk-canary-two" });
  });

  it.each([
    ["a field of a name that JavaScript knows better", '{"__proto__":"theirs","constructor":{"__proto__":1}}'],
    ["numbers of other fields that a double cannot hold, where the server can", '{"big":12345678901234567890,"one":1.50,"deep":[1e400]}'],
  ])("keeps %s", async (_, others) => {
    await connect().stage("v1", new Secret("sk-canary-one"), signal);
    world.between = async (request) =>
      request.method === "GET" && request.url.endsWith(PATH)
        ? { status: 200, headers: {}, body: Buffer.from(`{"data":{"data":${others},"metadata":{"version":7}}}`) }
        : world.toServer(request);
    await refusal(connect().promote("v1", undefined, signal));
    expect(world.sent.at(-1)?.body).toBe(`{"data":${others.slice(0, -1)},"apiKey":"sk-canary-one"},"options":{"cas":7}}`);
  });

  it("is written once by a rotation, and the keep once", async () => {
    const store = connect();
    await store.stage("v1", new Secret("sk-canary-one"), signal);
    await store.promote("v1", undefined, signal);
    world.sent = [];
    await store.stage("v2", new Secret("sk-canary-two"), signal);
    await store.promote("v2", "v1", signal);
    expect(paths().filter((path) => path.startsWith("POST"))).toEqual(["POST secret/data/rotated/prod/v2", `POST secret/data/${PATH}`]);
  });

  it("is nothing when its newest version is deleted, and may be written again", async () => {
    await rotate();
    await bao.call("DELETE", `${mount}/data/${PATH}`);
    expect(await connect().read("current", signal)).toBeUndefined();
    await connect().promote("v1", undefined, signal);
    expect((await document()).data).toEqual({ apiKey: "sk-canary-one" });
  });

  it("is nothing where the field is empty, as in every other store: people prepare a place so", async () => {
    await bao.call("POST", `${mount}/data/${PATH}`, { data: { apiKey: "", other: "kept" } });
    expect(await connect().read("current", signal)).toBeUndefined();
    await connect().stage("v1", new Secret("sk-canary-one"), signal);
    await connect().promote("v1", undefined, signal);
    expect((await document()).data).toEqual({ apiKey: "sk-canary-one", other: "kept" });
  });

  it("holds a string there, or is refused as foreign", async () => {
    await bao.call("POST", `${mount}/data/${PATH}`, { data: { apiKey: { canary: 1 } } });
    expect((await refusal(connect().read("current", signal))).code).toBe("foreign");
    expect((await refusal(connect().preflight(signal))).code).toBe("foreign");
  });

  it("is not overwritten when another writer comes between read and write", async () => {
    await rotate();
    world.between = async (request) => {
      if (request.method === "POST") await bao.call("POST", `${mount}/data/${PATH}`, { data: { apiKey: "sk-canary-two", theirs: "x" } });
      return world.toServer(request);
    };
    expect(await refusal(connect().promote("v1", "v2", signal))).toMatchObject({ code: "inconclusive", retry: true });
    expect((await document()).data).toEqual({ apiKey: "sk-canary-two", theirs: "x" });
    world.between = world.toServer;
    await connect().promote("v1", "v2", signal);
    expect((await document()).data).toEqual({ apiKey: "sk-canary-one", theirs: "x" });
  });

  it("says for people whose value it is, beside the notes of others, also after a crash before the note", async () => {
    await rotate();
    await bao.call("PATCH", `${mount}/metadata/${PATH}`, { custom_metadata: { team: "search", prod: "lost" } });
    await connect().promote("v2", "v1", signal);
    expect((await document()).metadata.custom_metadata).toEqual({ team: "search", prod: "rotated v2" });
  });

  it("may not be in the keep", async () => {
    expect((await refusal(connect(ROOT, { place: { path: "rotated/prod" } }).preflight(signal))).code).toBe("misconfigured");
  });
});

describe("what is wrong is told apart", () => {
  it.each([
    ["another namespace", { namespace: "nope" }, "misconfigured"],
    ["another mount", { mount: "nope" }, "misconfigured"],
  ])("%s", async (_, settings, code) => {
    const store = connect(ROOT, { settings });
    expect((await refusal(store.read("current", signal))).code).toBe(code);
    expect((await refusal(store.preflight(signal))).code).toBe(code);
  });

  it("an engine of version 1, in which preflight writes nothing", async () => {
    await bao.call("POST", `sys/mounts/${mount}-v1`, { type: "kv", options: { version: "1" } });
    expect((await refusal(connect(ROOT, { settings: { mount: `${mount}-v1` } }).preflight(signal))).code).toBe("misconfigured");
    expect((await bao.call("LIST", `${mount}-v1/`)).status).toBe(404);
  });

  it.each([
    [502, "<html>canary</html>", "unavailable"],
    [400, "<html>canary</html>", "malformed"],
    [200, "<html>canary</html>", "malformed"],
    [307, "", "malformed"],
    [429, '{"errors":["canary"]}', "rateLimited"],
    [202, '{"data":"canary"}', "malformed"],
    [500, '{"errors":["sk-canary-one"]}', "unavailable"],
  ])("status %i with %s", async (status, body, code) => {
    const store = connect();
    await store.read("current", signal);
    world.between = async () => ({ status, headers: { "retry-after": "3" }, body: Buffer.from(body) });
    expect((await refusal(store.stage("v1", new Secret("sk-canary-one"), signal))).code).toBe(code);
  });

  it("a server that is not there", async () => {
    expect((await refusal(connect(ROOT, { settings: { url: "http://127.0.0.1:1" } }).read("current", signal))).code).toBe("unreachable");
  });
});

it("ends a call that is under way when it is aborted, and the next one works", async () => {
  const store = connect();
  await store.read("current", signal);
  const [reason, controller] = [new Error("enough"), new AbortController()];
  world.between = ({ signal: passed }) =>
    new Promise((_, reject) => {
      passed.addEventListener("abort", () => reject(passed.reason));
      controller.abort(reason);
    });
  await expect(store.stage("v1", new Secret("sk-canary-one"), controller.signal)).rejects.toBe(reason);
  world.between = world.toServer;
  await rotate(store);
});

it("takes nothing from the environment", async () => {
  for (const name of ["VAULT_ADDR", "VAULT_TOKEN", "VAULT_NAMESPACE", "VAULT_PREFIX"]) vi.stubEnv(name, `canary-${name}`);
  vi.stubEnv("VAULT_SKIP_VERIFY", "1");
  vi.stubEnv("DEBUG", "node-vault");
  const printed = vi.spyOn(process.stderr, "write");
  await rotate(connect({ appRole: await newRole() }));
  expect(JSON.stringify(world.sent.map(({ url, headers }) => ({ url, headers })))).not.toContain("canary-VAULT");
  expect(world.sent.every(({ url }) => url.startsWith(`${bao.url}/v1/`))).toBe(true);
  expect(printed.mock.calls.join()).not.toContain("canary");
  printed.mockRestore();
});

describe("the shipped policy", () => {
  /** All that a store does in its life: in an empty place, over a deleted version, and on the way back. */
  async function life(): Promise<void> {
    await bao.call("DELETE", `${mount}/metadata/${PATH}`);
    world.secrets["token"] = await newToken(bao);
    const store = connect({ token: { credential: "token" } });
    await store.preflight(signal);
    await rotate(store);
    await store.preflight(signal);
    world.aheadMs += 50 * 60_000;
    await bao.call("DELETE", `${mount}/data/rotated/prod/v1`);
    await store.stage("v1", new Secret("sk-canary-one"), signal);
    await store.promote("v1", "v2", signal);
    for (const version of ["v1", "v2"]) await store.discard(version, signal);
    // A renewal that is refused is made up for by a look at the token, so it is asked for what it did.
    expect(paths().filter((path) => path === "POST auth/token/renew-self" || path.endsWith("lookup-self"))).toHaveLength(2);
    await anotherSecretId();
  }

  /** A session takes a new secret-id over at once, and leaves no token of the one before. */
  async function anotherSecretId(): Promise<void> {
    const store = connect({ appRole: await newRole() });
    await store.read("current", signal);
    const token = lastToken();
    await newRole();
    await store.read("current", signal);
    expect((await bao.call("GET", `${mount}/data/${PATH}`, undefined, { token })).status).toBe(403);
  }

  itIsEnoughAndNoMore(POLICY, { rights: 12, life, set: setPolicyHere });
});

// Last, because nothing of this server can be asked after it.
it("a sealed server is an outage that says how it ends", async () => {
  const store = connect();
  await store.read("current", signal);
  await bao.call("PUT", "sys/seal");
  expect(await refusal(store.read("current", signal))).toMatchObject({ code: "unavailable", hint: expect.stringContaining("unseal") });
});
