import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { vaultApprole } from "../../providers/vault-approle.ts";
import { AdapterError } from "../../src/contract/errors.ts";
import type { VendorKey } from "../../src/contract/provider.ts";
import { Secret } from "../../src/contract/secret.ts";
import { type BaoWorld, baoWorld, ROLE, setPolicy, setRole, startBaoWithRoles } from "../support/bao-world.ts";
import type { OpenBao } from "../support/openbao.ts";
import { refusal } from "../support/refusal.ts";
import { itIsEnoughAndNoMore, shippedPolicy } from "../support/shipped-policy.ts";

const { signal } = new AbortController();
const POLICY = shippedPolicy("vault-approle-policy.hcl");

let bao: OpenBao;
let roleId: string;
let world: BaoWorld;

beforeAll(async () => {
  bao = await startBaoWithRoles();
});
afterAll(() => bao.close());
beforeEach(async () => {
  await bao.call("DELETE", ROLE);
  await setPolicy(bao, POLICY);
  roleId = await setRole(bao);
  world = await baoWorld(bao);
});
afterEach(() => world.close());

const ROOT = { token: { credential: "root" } };

function connect(more: object = {}) {
  return vaultApprole.connect(vaultApprole.settings.parse({ url: bao.url, role: "rotated", roleId, auth: ROOT, ...more }), world);
}

/** A token that was born of a secret-id, as a program holds one. */
async function logIn(secret: Secret): Promise<string> {
  const { body } = await bao.call("POST", "auth/approle/login", { role_id: roleId, secret_id: secret.reveal() });
  return body.auth.client_token;
}
const works = async (token: string) => (await bao.call("POST", "auth/token/renew-self", {}, { token })).status === 200;
const lookUp = async ({ id }: VendorKey) =>
  (await bao.call("POST", `${ROLE}/secret-id-accessor/lookup`, { secret_id_accessor: id })).body.data;
const tokens = async (): Promise<number> => (await bao.call("LIST", "auth/token/accessors")).body.data.keys.length;

let labels = 0;
const newLabel = () => `rotated-test-${++labels}`;

describe("create", () => {
  it("gives what the one before could do, and no more, under a label of its own", async () => {
    const body = { metadata: '{"team":"search","label":"theirs"}', ttl: "2h", cidr_list: "127.0.0.0/8", token_bound_cidrs: "127.0.0.1/32" };
    const { data } = (await bao.call("POST", `${ROLE}/secret-id`, body)).body;
    const provider = connect();
    const like = (await provider.list(signal)).find(({ id }) => id === data.secret_id_accessor);
    const made = await provider.create?.({ label: "rotated-next", ...(like && { like }) }, signal);
    if (made === undefined || like === undefined) throw new Error("not made");
    expect(made.expiresAt?.getTime()).toBeCloseTo(Date.now() + 7_200_000, -4);
    expect(await lookUp(made)).toMatchObject({
      metadata: { team: "search", label: "rotated-next" },
      cidr_list: ["127.0.0.0/8"],
      token_bound_cidrs: ["127.0.0.1/32"],
      secret_id_ttl: 7200,
      secret_id_num_uses: 0,
    });
  });

  it("takes the lifetime of the settings before that of the one before", async () => {
    const made = await connect({ expiresIn: "1h" }).create?.({ label: newLabel() }, signal);
    expect(made?.expiresAt?.getTime()).toBeCloseTo(Date.now() + 3_600_000, -4);
  });

  it("refuses to follow one that may be used a few times only, and makes nothing", async () => {
    await bao.call("POST", `${ROLE}/secret-id`, { num_uses: 5 });
    const provider = connect();
    const [like] = await provider.list(signal);
    if (like === undefined || provider.create === undefined) throw new Error("not listed");
    expect(await refusal(provider.create({ label: newLabel(), like }, signal))).toMatchObject({ code: "misconfigured", answered: true });
    expect(await provider.list(signal)).toHaveLength(1);
  });
});

describe("verify", () => {
  it("leaves no token behind", async () => {
    const provider = connect();
    const made = await provider.create?.({ label: newLabel() }, signal);
    if (made === undefined) throw new Error("not made");
    const before = await tokens();
    expect(await provider.verify(made.secret, signal)).toBe("accepted");
    expect(await tokens()).toBe(before);
  });

  it("takes a role that is locked out, or another text, for no answer", async () => {
    const provider = connect();
    for (const [status, text] of [
      [403, "permission denied"],
      [400, "missing secret_id"],
      [404, "no handler for route"],
    ] as const) {
      world.between = async () => ({ status, headers: {}, body: Buffer.from(JSON.stringify({ errors: [text] })) });
      expect(await refusal(provider.verify(new Secret("canary-secret-id"), signal)), text).toBeInstanceOf(AdapterError);
    }
  });
});

describe("revoke", () => {
  it("ends the secret-id and every token that was born of it, and no other", async () => {
    const provider = connect();
    const [old, next] = [await provider.create?.({ label: newLabel() }, signal), await provider.create?.({ label: newLabel() }, signal)];
    if (old === undefined || next === undefined) throw new Error("not made");
    const [oldTokens, nextToken] = [[await logIn(old.secret), await logIn(old.secret)], await logIn(next.secret)];
    await provider.revoke(old.id, signal);
    expect(await provider.verify(old.secret, signal)).toBe("refused");
    expect(await Promise.all(oldTokens.map(works))).toEqual([false, false]);
    expect(await works(nextToken)).toBe(true);
  });

  it("ends the tokens of one that is gone already, by the label that it had", async () => {
    const provider = connect();
    const label = newLabel();
    const old = await provider.create?.({ label }, signal);
    if (old === undefined) throw new Error("not made");
    const token = await logIn(old.secret);
    await bao.call("POST", `${ROLE}/secret-id-accessor/destroy`, { secret_id_accessor: old.id });
    await provider.revoke(old.id, signal);
    expect(await works(token), "without its label nothing tells whose it was").toBe(true);
    await provider.revoke(old.id, signal, label);
    expect(await works(token)).toBe(false);
  });

  it("leaves the tokens of another role with the same label, and those of a label that is not ours", async () => {
    await bao.call("POST", "auth/approle/role/other", { token_policies: ["rotated"], token_ttl: "1h" });
    const label = newLabel();
    const provider = connect();
    const old = await provider.create?.({ label }, signal);
    const minted = (await bao.call("POST", "auth/approle/role/other/secret-id", { metadata: JSON.stringify({ label }) })).body.data;
    const otherRole = (await bao.call("GET", "auth/approle/role/other/role-id")).body.data.role_id;
    const login = { role_id: otherRole, secret_id: minted.secret_id };
    const others = (await bao.call("POST", "auth/approle/login", login)).body.auth.client_token;
    const theirs = (await bao.call("POST", `${ROLE}/secret-id`, { metadata: '{"label":"theirs"}' })).body.data;
    const adopted = await logIn(new Secret(theirs.secret_id));
    await provider.revoke(old?.id ?? "", signal, label);
    await provider.revoke(theirs.secret_id_accessor, signal, "adopted-x");
    expect([await works(others), await works(adopted)]).toEqual([true, true]);
  });

  it("says so when tokens go on being born", async () => {
    const label = newLabel();
    const provider = connect();
    const old = await provider.create?.({ label }, signal);
    const stubborn = { data: { meta: { label, role_name: "rotated" } } };
    world.between = async (request) =>
      request.url.endsWith("lookup-accessor")
        ? { status: 200, headers: {}, body: Buffer.from(JSON.stringify(stubborn)) }
        : world.toServer(request);
    const swallow = world.between;
    world.between = async (request) =>
      request.url.endsWith("revoke-accessor") ? { status: 204, headers: {}, body: Buffer.from("") } : swallow(request);
    expect(await refusal(provider.revoke(old?.id ?? "", signal))).toMatchObject({ code: "inconclusive", retry: true });
  });
});

describe("preflight finds", () => {
  const codes = async (more: object = {}) => (await connect(more).preflight?.(signal))?.map(({ code }) => code);

  it.each([
    ["secret-ids with few uses", { secret_id_num_uses: 3 }, ["limitedUses"]],
    ["tokens that nobody can revoke", { token_type: "batch", token_max_ttl: "1h" }, ["batchTokens"]],
  ])("%s", async (_, role, found) => {
    await setRole(bao, role);
    expect(await codes()).toEqual(found);
  });

  it("a role that takes a login without a secret-id", async () => {
    await setRole(bao, { bind_secret_id: false, token_bound_cidrs: "127.0.0.1/32", secret_id_bound_cidrs: "127.0.0.1/32" });
    expect(await codes()).toEqual(["noSecretId"]);
  });

  it("another role's id, and no role", async () => {
    expect(await codes({ roleId: "canary" })).toEqual(["otherRole"]);
    expect(await codes({ role: "nobody" })).toEqual(["noRole"]);
  });
});

it("a role that is not there is no empty list", async () => {
  expect((await refusal(connect({ role: "nobody" }).list(signal))).code).toBe("misconfigured");
});

describe("a session as the role itself", () => {
  it("follows its secret-id, and revokes the token of the one before", async () => {
    const root = connect();
    const [first, second] = [await root.create?.({ label: newLabel() }, signal), await root.create?.({ label: newLabel() }, signal)];
    world.secrets["own"] = first?.secret.reveal() ?? "";
    const own = connect({ auth: { appRole: { roleId, secretId: { store: "own" } } } });
    world.sent = [];
    await own.list(signal);
    const token = world.sent.at(-1)?.headers["x-vault-token"] ?? "";
    expect(await works(token)).toBe(true);
    world.secrets["own"] = second?.secret.reveal() ?? "";
    await own.list(signal);
    expect(await works(token)).toBe(false);
    expect(world.paths().filter((path) => path.endsWith("login"))).toHaveLength(2);
  });

  it("makes a call that was under way with the earlier token again with the new one", async () => {
    const root = connect();
    const [first, second] = [await root.create?.({ label: newLabel() }, signal), await root.create?.({ label: newLabel() }, signal)];
    world.secrets["own"] = first?.secret.reveal() ?? "";
    const own = connect({ auth: { appRole: { roleId, secretId: { store: "own" } } } });
    await own.list(signal);
    let held = 0;
    world.between = async (request) => {
      // The first call is held back until the second has taken the new secret-id over.
      if (request.url.includes("list=true") && held++ === 0) {
        world.secrets["own"] = second?.secret.reveal() ?? "";
        await own.list(signal);
      }
      return world.toServer(request);
    };
    expect(await own.list(signal)).toHaveLength(2);
  });

  it("tries again later to revoke an earlier token, when that had no answer", async () => {
    const root = connect();
    const [first, second] = [await root.create?.({ label: newLabel() }, signal), await root.create?.({ label: newLabel() }, signal)];
    world.secrets["own"] = first?.secret.reveal() ?? "";
    const own = connect({ auth: { appRole: { roleId, secretId: { store: "own" } } } });
    world.sent = [];
    await own.list(signal);
    const token = world.sent.at(-1)?.headers["x-vault-token"] ?? "";
    world.secrets["own"] = second?.secret.reveal() ?? "";
    world.between = async (request) => {
      if (request.url.endsWith("revoke-self")) throw new AdapterError("unavailable", "no answer");
      return world.toServer(request);
    };
    await own.list(signal);
    expect(await works(token)).toBe(true);
    world.between = world.toServer;
    await own.list(signal);
    expect(await works(token)).toBe(false);
  });
});

describe("the shipped policy", () => {
  /** All that the provider does in its life, with a token of the role itself. */
  async function life(): Promise<void> {
    const root = connect();
    const first = await root.create?.({ label: newLabel() }, signal);
    if (first === undefined) throw new Error("not made");
    const before = await tokens();
    world.secrets["own"] = first.secret.reveal();
    const own = connect({ auth: { appRole: { roleId, secretId: { store: "own" } } } });
    expect(await own.preflight?.(signal)).toEqual([]);
    expect((await own.identify(first.secret, signal))?.id).toBe(first.id);
    const like = (await own.list(signal)).find(({ id }) => id === first.id);
    const second = await own.create?.({ label: newLabel(), ...(like && { like }) }, signal);
    if (second === undefined) throw new Error("not made");
    expect(await own.verify(second.secret, signal)).toBe("accepted");
    expect(await tokens(), "the token of verify was given back").toBe(before + 1);
    const born = await logIn(first.secret);
    world.secrets["own"] = second.secret.reveal();
    await own.revoke(first.id, signal);
    expect((await bao.call("GET", "auth/token/lookup-self", undefined, { token: born })).status).toBe(403);
    world.aheadMs = 50 * 60_000;
    world.sent = [];
    await own.list(signal);
    expect(world.paths().slice(0, 2), "the token was renewed").toEqual(["POST auth/token/renew-self", `GET ${ROLE}/secret-id?list=true`]);
  }

  itIsEnoughAndNoMore(POLICY, { rights: 13, life, set: (policy) => setPolicy(bao, policy) });
});
