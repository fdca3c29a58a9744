import { randomUUID } from "node:crypto";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { vault } from "../../adapters/stores/vault.ts";
import { AdapterError } from "../../src/contract/errors.ts";
import type { Exchange, ExchangeRequest } from "../../src/contract/http.ts";
import { Secret } from "../../src/contract/secret.ts";
import type { World } from "../../src/contract/world.ts";
import { realClock } from "../../src/world/clock.ts";
import { secretResolver } from "../../src/world/secrets.ts";
import { type OpenBao, startOpenBao } from "../support/openbao.ts";
import { type TestWorld, testWorld } from "../support/world.ts";

const { signal } = new AbortController();
const POLICY = readFileSync(new URL("../../examples/vault-policy.hcl", import.meta.url), "utf8");
const PATH = "apps/openclaw";

let bao: OpenBao;
let mount: string;
let network: TestWorld;
let world: World;
let now: number;
let secrets: Record<string, string>;
let sent: ExchangeRequest[];
/** Comes between the store and the server; by default it does nothing. */
let between: Exchange;

beforeAll(async () => {
  bao = await startOpenBao();
  await bao.call("POST", "sys/auth/approle", { type: "approle" });
});
afterAll(() => bao.close());
beforeEach(async () => {
  mount = randomUUID();
  await bao.call("POST", `sys/mounts/${mount}`, { type: "kv", options: { version: "2" } });
  await bao.call("PUT", "sys/policies/acl/rotated", { policy: policyText() });
  network = await testWorld();
  secrets = { root: bao.rootToken };
  sent = [];
  now = 1_700_000_000_000;
  between = (request) => network.exchange(request);
  const files = secretResolver({ files: network.files, env: {} });
  world = {
    ...network,
    clock: { ...realClock, now: () => now },
    secret: async (reference) => ("credential" in reference ? new Secret(secrets[reference.credential] ?? "") : files(reference)),
    exchange(request) {
      sent.push(request);
      return between(request);
    },
  };
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await bao.call("DELETE", `sys/mounts/${mount}`);
  await network.close();
});

const policyText = (text = POLICY) => text.replaceAll("secret/", `${mount}/`);
const ROOT = { token: { credential: "root" } };

function connect(auth: object = ROOT, more: { settings?: object; place?: object } = {}) {
  const settings = vault.settings.parse({ url: bao.url, mount, auth, ...more.settings });
  return vault.connect(settings, vault.place.parse({ path: PATH, field: "apiKey", ...more.place }), { credential: "prod" }, world);
}

async function refusal(work: Promise<unknown>): Promise<AdapterError> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof AdapterError)) throw new Error(`no AdapterError but ${String(error)}`);
  expect(inspect(error, { depth: 10, showHidden: true }) + error.hint).not.toContain("canary");
  return error;
}

async function newToken(body: object = {}): Promise<string> {
  const reply = await bao.call("POST", "auth/token/create", { policies: ["rotated"], no_default_policy: true, ttl: "1h", ...body });
  return reply.body.auth.client_token;
}

async function newRole(): Promise<{ roleId: string; secretId: { credential: string } }> {
  await bao.call("POST", "auth/approle/role/rotated", {
    token_policies: ["rotated"],
    token_no_default_policy: true,
    token_ttl: "1h",
    token_max_ttl: "2h",
  });
  const { body: role } = await bao.call("GET", "auth/approle/role/rotated/role-id");
  const { body: minted } = await bao.call("POST", "auth/approle/role/rotated/secret-id", {});
  secrets["secret-id"] = minted.data.secret_id;
  return { roleId: role.data.role_id, secretId: { credential: "secret-id" } };
}

const revoke = (token: string) => bao.call("POST", "auth/token/revoke", { token });
const paths = () => sent.map(({ method, url }) => `${method} ${url.slice(bao.url.length + 4).replace(mount, "secret")}`);
const tokenOf = (request: ExchangeRequest | undefined) => request?.headers["x-vault-token"];
const document = async (path = PATH) => (await bao.call("GET", `${mount}/data/${path}`)).body.data;

async function rotate(store = connect()): Promise<void> {
  await store.stage("v1", new Secret("sk-canary-one"), signal);
  await store.promote("v1", undefined, signal);
  await store.stage("v2", new Secret("sk-canary-two"), signal);
  await store.promote("v2", "v1", signal);
}

describe("the document", () => {
  it("keeps the other fields as they were", async () => {
    const others = { n: 1.5, big: 2 ** 60, deep: { list: [1, null, "1.0", { a: false }] }, "": "", __proto__x: "y" };
    await bao.call("POST", `${mount}/data/${PATH}`, { data: others });
    await rotate();
    expect((await document()).data).toEqual({ ...others, apiKey: "sk-canary-two" });
  });

  it("keeps numbers of other fields that a double cannot hold, where the server can", async () => {
    const others = '{"big":12345678901234567890,"one":1.50,"deep":[1e400]}';
    await connect().stage("v1", new Secret("sk-canary-one"), signal);
    between = async (request) =>
      request.method === "GET" && request.url.endsWith(PATH)
        ? { status: 200, headers: {}, body: Buffer.from(`{"data":{"data":${others},"metadata":{"version":7}}}`) }
        : network.exchange(request);
    await refusal(connect().promote("v1", undefined, signal));
    expect(sent.at(-1)?.body).toBe(`{"data":${others.slice(0, -1)},"apiKey":"sk-canary-one"},"options":{"cas":7}}`);
  });

  it("is written once by a rotation, and the keep once", async () => {
    const store = connect();
    await store.stage("v1", new Secret("sk-canary-one"), signal);
    await store.promote("v1", undefined, signal);
    sent = [];
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

  it("holds a string there, or is refused as foreign", async () => {
    await bao.call("POST", `${mount}/data/${PATH}`, { data: { apiKey: { canary: 1 } } });
    expect((await refusal(connect().read("current", signal))).code).toBe("foreign");
    expect((await refusal(connect().preflight(signal))).code).toBe("foreign");
  });

  it("is not overwritten when another writer comes between read and write", async () => {
    await rotate();
    between = async (request) => {
      if (request.method === "POST") await bao.call("POST", `${mount}/data/${PATH}`, { data: { apiKey: "sk-canary-two", theirs: "x" } });
      return network.exchange(request);
    };
    expect(await refusal(connect().promote("v1", "v2", signal))).toMatchObject({ code: "inconclusive", retry: true });
    expect((await document()).data).toEqual({ apiKey: "sk-canary-two", theirs: "x" });
    between = network.exchange;
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

describe("logging in", () => {
  it("is done once for all places of one store", async () => {
    secrets["token"] = await newToken();
    const settings = vault.settings.parse({ url: bao.url, mount, auth: { token: { credential: "token" } } });
    const place = vault.place.parse({ path: PATH, field: "apiKey" });
    const stores = ["a", "b"].map((credential) => vault.connect(settings, place, { credential }, world));
    await Promise.all(stores.map((store) => store.read("current", signal)));
    expect(paths().filter((path) => path.includes("lookup-self"))).toHaveLength(1);
  });

  it("renews a token when two thirds of its time are over, and not before", async () => {
    secrets["token"] = await newToken();
    const store = connect({ token: { credential: "token" } });
    await store.read("current", signal);
    now += 39 * 60_000;
    await store.read("current", signal);
    expect(paths()).not.toContain("POST auth/token/renew-self");
    now += 2 * 60_000;
    await store.read("current", signal);
    await store.read("current", signal);
    expect(paths().filter((path) => path === "POST auth/token/renew-self")).toHaveLength(1);
  });

  it("as a role happens again when somebody revoked its token", async () => {
    const store = connect({ appRole: await newRole() });
    await store.read("current", signal);
    await revoke(tokenOf(sent.at(-1)) ?? "");
    await store.read("current", signal);
    expect(paths().filter((path) => path === "POST auth/approle/login")).toHaveLength(2);
  });

  it("as a role happens again when its token cannot be renewed any more", async () => {
    const store = connect({ appRole: await newRole() });
    await store.read("current", signal);
    await revoke(tokenOf(sent.at(-1)) ?? "");
    now += 41 * 60_000;
    await store.read("current", signal);
    expect(paths().slice(-3)).toEqual(["POST auth/token/renew-self", "POST auth/approle/login", `GET secret/data/${PATH}`]);
  });

  it("reads a token's file again when the token is refused", async () => {
    const tokenFile = join(network.stateDirectory, "token");
    const put = (token: string) => {
      writeFileSync(tokenFile, token);
      chmodSync(tokenFile, 0o600);
    };
    const first = await newToken();
    put(first);
    const store = connect({ tokenFile });
    await store.read("current", signal);
    await revoke(first);
    put(await newToken());
    await store.read("current", signal);
  });

  it("tells a token that is not valid from one without rights, and gives up after one more try", async () => {
    secrets["token"] = await newToken();
    const store = connect({ token: { credential: "token" } });
    await store.read("current", signal);
    await bao.call("PUT", "sys/policies/acl/rotated", { policy: 'path "auth/token/lookup-self" { capabilities = ["read"] }' });
    sent = [];
    expect((await refusal(store.read("current", signal))).code).toBe("forbidden");
    expect(paths()).toEqual([`GET secret/data/${PATH}`, "GET auth/token/lookup-self", `GET secret/data/${PATH}`]);
    await revoke(secrets["token"]);
    expect((await refusal(store.read("current", signal))).code).toBe("unauthorized");
    const expired = { appRole: { ...(await newRole()), roleId: "no-role" } };
    expect((await refusal(connect(expired).read("current", signal))).code).toBe("unauthorized");
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
    between = async () => ({ status, headers: { "retry-after": "3" }, body: Buffer.from(body) });
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
  between = ({ signal: passed }) =>
    new Promise((_, reject) => {
      passed.addEventListener("abort", () => reject(passed.reason));
      controller.abort(reason);
    });
  await expect(store.stage("v1", new Secret("sk-canary-one"), controller.signal)).rejects.toBe(reason);
  between = network.exchange;
  await rotate(store);
});

it("takes nothing from the environment", async () => {
  for (const name of ["VAULT_ADDR", "VAULT_TOKEN", "VAULT_NAMESPACE", "VAULT_PREFIX"]) vi.stubEnv(name, `canary-${name}`);
  vi.stubEnv("VAULT_SKIP_VERIFY", "1");
  vi.stubEnv("DEBUG", "node-vault");
  const printed = vi.spyOn(process.stderr, "write");
  await rotate(connect({ appRole: await newRole() }));
  expect(JSON.stringify(sent.map(({ url, headers }) => ({ url, headers })))).not.toContain("canary-VAULT");
  expect(sent.every(({ url }) => url.startsWith(`${bao.url}/v1/`))).toBe(true);
  expect(printed.mock.calls.join()).not.toContain("canary");
  printed.mockRestore();
});

describe("the shipped policy", () => {
  /** All that a store does in its life: in an empty place, over a deleted version, and on the way back. */
  async function life(): Promise<void> {
    await bao.call("DELETE", `${mount}/metadata/${PATH}`);
    secrets["token"] = await newToken();
    const store = connect({ token: { credential: "token" } });
    await store.preflight(signal);
    await rotate(store);
    await store.preflight(signal);
    now += 50 * 60_000;
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
    const token = tokenOf(sent.at(-1)) ?? "";
    await newRole();
    await store.read("current", signal);
    expect((await bao.call("GET", `${mount}/data/${PATH}`, undefined, { token })).status).toBe(403);
  }

  it("is enough", life);

  const rights = [...POLICY.matchAll(/path "([^"]+)" \{\n {2}capabilities = \[([^\]]+)\]/g)].flatMap(([block = "", path = "", list = ""]) =>
    [...list.matchAll(/"(\w+)"/g)].map(([, right = ""]) => ({ block, path, right })),
  );

  it("has rights to take away", () => expect(rights).toHaveLength(12));

  it.each(rights)("needs $right on $path", async ({ block, right }) => {
    const without = block.replace(new RegExp(`"${right}"(, )?`), "").replace(", ]", "]");
    await bao.call("PUT", "sys/policies/acl/rotated", { policy: policyText(POLICY.replace(block, without)) });
    await expect(life()).rejects.toThrow();
  });
});

// Last, because nothing of this server can be asked after it.
it("a sealed server is an outage that says how it ends", async () => {
  const store = connect();
  await store.read("current", signal);
  await bao.call("PUT", "sys/seal");
  expect(await refusal(store.read("current", signal))).toMatchObject({ code: "unavailable", hint: expect.stringContaining("unseal") });
});
