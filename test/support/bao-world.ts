import type { Exchange, ExchangeRequest } from "../../src/contract/http.ts";
import { Secret } from "../../src/contract/secret.ts";
import type { World } from "../../src/contract/world.ts";
import { secretResolver } from "../../src/world/secrets.ts";
import { type OpenBao, startOpenBao } from "./openbao.ts";
import { testWorld } from "./world.ts";

/** The real world as a plug for `bao` sees it, with what a test watches and meddles with. */
export interface BaoWorld extends World {
  /** By their names in `{ credential }` and `{ store }`; `root` may do all. */
  readonly secrets: Record<string, string>;
  /** What went out so far; a test may begin anew. */
  sent: ExchangeRequest[];
  /** The calls in `sent`, each as its method and its path. */
  paths(): string[];
  /** Comes between the plug and the server; by default it is `toServer`. */
  between: Exchange;
  readonly toServer: Exchange;
  /** What the clock is ahead; the monotonic one goes with it only where it is told to. */
  aheadMs: number;
  aheadMonotonicMs: number;
  close(): Promise<void>;
}

/** One for each test. */
export async function baoWorld(bao: OpenBao): Promise<BaoWorld> {
  const real = await testWorld();
  const files = secretResolver({ files: real.files, env: {} });
  const world: BaoWorld = {
    ...real,
    clock: {
      ...real.clock,
      now: () => Date.now() + world.aheadMs,
      monotonic: () => real.clock.monotonic() + world.aheadMonotonicMs,
    },
    async secret(reference) {
      if ("credential" in reference) return new Secret(world.secrets[reference.credential] ?? "");
      return "store" in reference ? new Secret(world.secrets[reference.store] ?? "") : files(reference);
    },
    exchange(request) {
      world.sent.push(request);
      return world.between(request);
    },
    secrets: { root: bao.rootToken },
    sent: [],
    paths: () => world.sent.map(({ method, url }) => `${method} ${url.slice(`${bao.url}/v1/`.length)}`),
    between: real.exchange,
    toServer: real.exchange,
    aheadMs: 0,
    aheadMonotonicMs: 0,
  };
  return world;
}

/** The role `rotated`, whose tokens have the policy `rotated` and nothing else. */
export const ROLE = "auth/approle/role/rotated";

/** Starts an OpenBao in which programs can log in as a role. */
export async function startBaoWithRoles(): Promise<OpenBao> {
  const bao = await startOpenBao();
  await bao.call("POST", "sys/auth/approle", { type: "approle" });
  return bao;
}

/** Makes the role `rotated`, or changes it; resolves to its id. */
export async function setRole(bao: OpenBao, more: object = {}): Promise<string> {
  const rights = { token_policies: ["rotated"], token_no_default_policy: true };
  await bao.call("POST", ROLE, { ...rights, token_ttl: "1h", token_max_ttl: "9h", ...more });
  return (await bao.call("GET", `${ROLE}/role-id`)).body.data.role_id;
}

/** Says what the policy `rotated` allows. */
export const setPolicy = (bao: OpenBao, policy: string) => bao.call("PUT", "sys/policies/acl/rotated", { policy });

/** A token that has the policy `rotated` and nothing else. */
export async function newToken(bao: OpenBao, more: object = {}): Promise<string> {
  const rights = { policies: ["rotated"], no_default_policy: true };
  return (await bao.call("POST", "auth/token/create", { ...rights, ttl: "1h", ...more })).body.auth.client_token;
}
