import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { vault } from "../../adapters/stores/vault.ts";
import { type BaoWorld, baoWorld, newToken, ROLE, setPolicy, setRole, startBaoWithRoles } from "../support/bao-world.ts";
import type { OpenBao } from "../support/openbao.ts";
import { refusal } from "../support/refusal.ts";
import { shippedPolicy } from "../support/shipped-policy.ts";

const { signal } = new AbortController();
const PATH = "apps/openclaw";
const MINUTE = 60_000;

let bao: OpenBao;
let world: BaoWorld;

beforeAll(async () => {
  bao = await startBaoWithRoles();
});
afterAll(() => bao.close());
beforeEach(async () => {
  await setPolicy(bao, shippedPolicy("vault-policy.hcl"));
  world = await baoWorld(bao);
});
afterEach(() => world.close());

function connect(auth: object) {
  const settings = vault.settings.parse({ url: bao.url, auth });
  return vault.connect(settings, vault.place.parse({ path: PATH, field: "apiKey" }), { credential: "prod" }, world);
}

/** A store that has a token of an hour. */
async function connectWithToken(more: object = {}) {
  world.secrets["token"] = await newToken(bao, more);
  return connect({ token: { credential: "token" } });
}

async function newRole(): Promise<{ roleId: string; secretId: { credential: string } }> {
  const roleId = await setRole(bao);
  world.secrets["secret-id"] = (await bao.call("POST", `${ROLE}/secret-id`, {})).body.data.secret_id;
  return { roleId, secretId: { credential: "secret-id" } };
}

const revoke = (token: string) => bao.call("POST", "auth/token/revoke", { token });
const paths = () => world.paths();
const renewals = () => paths().filter((path) => path === "POST auth/token/renew-self").length;
const lastToken = () => world.sent.at(-1)?.headers["x-vault-token"] ?? "";

describe("logging in", () => {
  it("is done once for all places of one store", async () => {
    world.secrets["token"] = await newToken(bao);
    const settings = vault.settings.parse({ url: bao.url, auth: { token: { credential: "token" } } });
    const place = vault.place.parse({ path: PATH, field: "apiKey" });
    const stores = ["a", "b"].map((credential) => vault.connect(settings, place, { credential }, world));
    await Promise.all(stores.map((store) => store.read("current", signal)));
    expect(paths().filter((path) => path.includes("lookup-self"))).toHaveLength(1);
  });

  it("renews a token when two thirds of its time are over, and not before", async () => {
    const store = await connectWithToken();
    await store.read("current", signal);
    world.aheadMs += 39 * MINUTE;
    await store.read("current", signal);
    expect(renewals()).toBe(0);
    world.aheadMs += 2 * MINUTE;
    await store.read("current", signal);
    await store.read("current", signal);
    expect(renewals()).toBe(1);
  });

  it("as a role happens again when somebody revoked its token", async () => {
    const store = connect({ appRole: await newRole() });
    await store.read("current", signal);
    await revoke(lastToken());
    await store.read("current", signal);
    expect(paths().filter((path) => path === "POST auth/approle/login")).toHaveLength(2);
  });

  it("as a role happens again when its token cannot be renewed any more", async () => {
    const store = connect({ appRole: await newRole() });
    await store.read("current", signal);
    await revoke(lastToken());
    world.aheadMs += 41 * MINUTE;
    await store.read("current", signal);
    expect(paths().slice(-3)).toEqual(["POST auth/token/renew-self", "POST auth/approle/login", `GET secret/data/${PATH}`]);
  });

  it("reads a token's file again when the token is refused", async () => {
    const tokenFile = join(world.stateDirectory, "token");
    const put = (token: string) => writeFileSync(tokenFile, token, { mode: 0o600 });
    const first = await newToken(bao);
    put(first);
    const store = connect({ tokenFile });
    await store.read("current", signal);
    await revoke(first);
    put(await newToken(bao));
    await store.read("current", signal);
  });

  it("tells a token that is not valid from one without rights, and gives up after one more try", async () => {
    const store = await connectWithToken();
    await store.read("current", signal);
    await setPolicy(bao, 'path "auth/token/lookup-self" { capabilities = ["read"] }');
    world.sent = [];
    expect((await refusal(store.read("current", signal))).code).toBe("forbidden");
    expect(paths()).toEqual([`GET secret/data/${PATH}`, "GET auth/token/lookup-self", `GET secret/data/${PATH}`]);
    await revoke(world.secrets["token"] ?? "");
    expect((await refusal(store.read("current", signal))).code).toBe("unauthorized");
    const expired = { appRole: { ...(await newRole()), roleId: "no-role" } };
    expect((await refusal(connect(expired).read("current", signal))).code).toBe("unauthorized");
  });
});

it("a role that is locked out, because others tried wrong secret-ids, is waited for: its secret-id may be right", async () => {
  const role = `${ROLE}-locked`;
  await bao.call("POST", role, { token_policies: ["rotated"] });
  const roleId = (await bao.call("GET", `${role}/role-id`)).body.data.role_id;
  world.secrets["secret-id"] = (await bao.call("POST", `${role}/secret-id`, {})).body.data.secret_id;
  for (let wrong = 0; wrong < 6; wrong += 1) await bao.call("POST", "auth/approle/login", { role_id: roleId, secret_id: "wrong" });
  const store = connect({ appRole: { roleId, secretId: { credential: "secret-id" } } });
  expect(await refusal(store.read("current", signal))).toMatchObject({
    code: "inconclusive",
    retry: true,
    hint: expect.stringContaining("locks a role out"),
  });
});

describe("kept while nobody calls", () => {
  it("a token is looked at once, says when it is due, and is renewed then", async () => {
    const store = await connectWithToken();
    const first = await store.keepSession?.(signal);
    expect(first, "two thirds of an hour").toSatisfy((ms: number) => ms > 39 * MINUTE && ms <= 40 * MINUTE);
    expect(paths()).toEqual(["GET auth/token/lookup-self"]);
    world.aheadMs += 30 * MINUTE;
    expect(await store.keepSession?.(signal)).toBeLessThanOrEqual(10 * MINUTE);
    expect(paths(), "asking before it is due costs no call").toHaveLength(1);
    world.aheadMs += 11 * MINUTE;
    expect(await store.keepSession?.(signal)).toBeGreaterThan(39 * MINUTE);
    expect(renewals()).toBe(1);
  });

  it("a token is renewed in time by a clock that does not jump, too", async () => {
    const store = await connectWithToken();
    await store.keepSession?.(signal);
    world.aheadMs -= 600 * MINUTE;
    world.aheadMonotonicMs += 41 * MINUTE;
    await store.keepSession?.(signal);
    expect(renewals()).toBe(1);
  });

  it("a token without an end is left alone", async () => {
    const store = connect({ token: { credential: "root" } });
    expect(await store.keepSession?.(signal)).toBeUndefined();
  });

  it("a token in its last second has an end, and is not asked for without a pause", async () => {
    const store = await connectWithToken();
    world.between = async () => {
      const data = { ttl: 0, expire_time: "2026-11-26T12:00:00Z", renewable: true };
      return { status: 200, headers: {}, body: Buffer.from(JSON.stringify({ data })) };
    };
    expect(await store.keepSession?.(signal)).toBe(1000);
  });

  it("a role logs in when it is needed: nothing is done", async () => {
    const store = connect({ appRole: await newRole() });
    expect(await store.keepSession?.(signal)).toBeUndefined();
    expect(paths()).toEqual([]);
  });

  it("a token that is refused is told as such", async () => {
    const store = await connectWithToken();
    await revoke(world.secrets["token"] ?? "");
    expect((await refusal(Promise.resolve(store.keepSession?.(signal)))).code).toBe("unauthorized");
  });
});
