import { randomBytes } from "node:crypto";
import type { FakeAdminKey } from "./admin-keys.ts";
import { Refusal } from "./replies.ts";

/** A service account of the fake vendor's one project. */
export interface FakeAccount {
  readonly id: string;
  readonly name: string;
  /** `none`: an account without membership, whose keys count as inactive. */
  readonly role: "member" | "owner" | "none";
  readonly createdAt: number;
}

/** A key as the fake vendor knows it. All times are Unix milliseconds. */
export interface FakeKey {
  readonly id: string;
  readonly name: string;
  /** Only for tests that play the consumer; the control API leaves it out. */
  readonly secret: string;
  readonly redacted: string;
  readonly account: FakeAccount;
  /** Id of the admin key that created it; `null` for a seeded one. */
  readonly createdBy: string | null;
  readonly createdAt: number;
  scopes: readonly string[];
  expiresAt: number | null;
  lastUsedAt: number | null;
  deletedAt: number | null;
  /** Answers 429 `insufficient_quota` to every use. */
  outOfQuota: boolean;
  /** When each accepted request came. */
  readonly uses: number[];
  /** When each refused request came. */
  readonly refusals: number[];
}

/** How far behind itself the vendor is. Zero everywhere: at once, everywhere. */
export interface Lags {
  /** How long a new key is not yet accepted. */
  newKeyMs: number;
  /** How long a deleted key is still accepted. */
  revokedMs: number;
  /** How long a new key is missing from listings. */
  listMs: number;
  /** While a lag lasts, every second request is answered as if it were over. */
  flaps: boolean;
}

/** What the vendor would do otherwise, to play its older or stricter versions. */
export interface Rules {
  /** The older rule: a service account's key cannot be deleted (400). */
  keysArePermanent: boolean;
  /** The status of an answer that names missing scopes: it is not documented which it is. */
  missingScopes: 401 | 403;
  /** Keys must be created with an expiry of at most so many seconds. */
  maxLifetimeSeconds: number | null;
}

const NO_LAGS: Readonly<Lags> = { newKeyMs: 0, revokedMs: 0, listMs: 0, flaps: false };
const TODAYS_RULES: Readonly<Rules> = { keysArePermanent: false, missingScopes: 403, maxLifetimeSeconds: null };

export type Vendor = ReturnType<typeof makeVendor>;

/** The state of one project at the vendor, and its rules; no HTTP. */
export function makeVendor(project: string) {
  const accounts = new Map<string, FakeAccount & { deletedAt: number | null }>();
  const keys = new Map<string, FakeKey>();
  const lags: Lags = { ...NO_LAGS };
  const rules: Rules = { ...TODAYS_RULES };
  let flips = 0;

  function addAccount(name: string, role: FakeAccount["role"] = "member"): FakeAccount {
    const account = { id: identifier("svc_acct"), name, role, createdAt: Date.now(), deletedAt: null };
    accounts.set(account.id, account);
    return account;
  }

  function account(id: string): FakeAccount {
    const found = accounts.get(id);
    if (found === undefined || found.deletedAt !== null) throw new Refusal(404, `No such service account: ${id}`, { code: "not_found" });
    return found;
  }

  function addKey(
    owner: FakeAccount,
    name: string,
    more: { scopes?: readonly string[]; lifetimeSeconds?: number; by?: string } = {},
  ): FakeKey {
    const createdAt = Date.now();
    const secret = `sk-svcacct-canary-${random(32)}`;
    const key: FakeKey = {
      id: identifier("key"),
      name,
      secret,
      redacted: `${secret.slice(0, 8)}${"*".repeat(24)}${secret.slice(-4)}`,
      account: owner,
      createdBy: more.by ?? null,
      createdAt,
      scopes: more.scopes ?? [],
      expiresAt: more.lifetimeSeconds === undefined ? null : createdAt + more.lifetimeSeconds * 1000,
      lastUsedAt: null,
      deletedAt: null,
      outOfQuota: false,
      uses: [],
      refusals: [],
    };
    keys.set(key.id, key);
    return key;
  }

  function key(id: string): FakeKey {
    const found = keys.get(id);
    if (found === undefined || found.deletedAt !== null) throw new Refusal(404, `No such API key: ${id}`, { code: "not_found" });
    return found;
  }

  function deleteKey(id: string): void {
    const found = key(id);
    if (rules.keysArePermanent) throw new Refusal(400, "API keys of service accounts cannot be deleted.");
    found.deletedAt = Date.now();
  }

  function deleteAccount(id: string): void {
    account(id);
    const now = Date.now();
    const found = accounts.get(id);
    if (found !== undefined) found.deletedAt = now;
    for (const owned of keys.values()) if (owned.account.id === id && owned.deletedAt === null) owned.deletedAt = now;
  }

  /** The key of this secret, if a request with it is accepted now. */
  function accepted(secret: string): FakeKey | undefined {
    const found = findBySecret(secret);
    return found !== undefined && works(found) ? found : undefined;
  }

  /** Whether a key is accepted now, with what the lags make of that. */
  function works({ createdAt, expiresAt, deletedAt }: Pick<FakeKey, "createdAt" | "expiresAt" | "deletedAt">): boolean {
    const now = Date.now();
    if (expiresAt !== null && expiresAt <= now) return false;
    if (deletedAt !== null) return now < deletedAt + lags.revokedMs && !flip();
    return now >= createdAt + lags.newKeyMs || flip();
  }

  function flip(): boolean {
    return lags.flaps && flips++ % 2 === 0;
  }

  function findBySecret(secret: string): FakeKey | undefined {
    return [...keys.values()].find((candidate) => candidate.secret === secret);
  }

  /** Live keys as a listing shows them, newest first. */
  function listed(): readonly FakeKey[] {
    const visibleBefore = Date.now() - lags.listMs;
    return [...keys.values()].filter((row) => row.deletedAt === null && row.createdAt <= visibleBefore).reverse();
  }

  function listedAccounts(): readonly FakeAccount[] {
    return [...accounts.values()].filter((row) => row.deletedAt === null).reverse();
  }

  function reset(): void {
    Object.assign(lags, NO_LAGS);
    Object.assign(rules, TODAYS_RULES);
  }

  // biome-ignore format: one list of what it can do
  return {
    project, lags, rules, admins: makeAdmins(lags, works), addAccount, account, addKey, key, deleteKey, deleteAccount,
    accepted, findBySecret, listed, listedAccounts, reset,
    /** Every key that ever was, also the deleted ones. */
    everyKey: (): readonly FakeKey[] => [...keys.values()],
  };
}

/** The organization's admin keys. */
function makeAdmins(lags: Lags, works: (key: FakeAdminKey) => boolean) {
  const keys = new Map<string, FakeAdminKey>();
  const find = (secret: string) => [...keys.values()].find((key) => key.secret === secret);
  const byId = (id: string): FakeAdminKey => {
    const found = keys.get(id);
    if (found === undefined || found.deletedAt !== null) throw new Refusal(404, `No such admin API key: ${id}`, { code: "not_found" });
    return found;
  };
  return {
    find,
    byId,
    add(name: string, more: { scopes?: FakeAdminKey["scopes"]; lifetimeSeconds?: number; ageMs?: number } = {}): FakeAdminKey {
      const createdAt = Date.now() - (more.ageMs ?? 0);
      const secret = `sk-admin-canary-${random(24)}`;
      const redacted = `${secret.slice(0, 8)}${"*".repeat(24)}${secret.slice(-4)}`;
      const expiresAt = more.lifetimeSeconds === undefined ? null : createdAt + more.lifetimeSeconds * 1000;
      const { scopes = "all" } = more;
      const key = { id: identifier("key_admin"), name, secret, redacted, createdAt, expiresAt, lastUsedAt: null, deletedAt: null, scopes };
      keys.set(key.id, key);
      return key;
    },
    delete(id: string): void {
      byId(id).deletedAt = Date.now();
    },
    /** The key of this secret, its use noted, if a request with it is accepted now. */
    use(secret: string): FakeAdminKey | undefined {
      const key = find(secret);
      if (key === undefined || !works(key)) return undefined;
      key.lastUsedAt = Date.now();
      return key;
    },
    /** Live keys as a listing shows them, newest first. */
    listed: (): FakeAdminKey[] =>
      [...keys.values()].filter(({ deletedAt, createdAt }) => deletedAt === null && createdAt <= Date.now() - lags.listMs).reverse(),
    /** Every admin key that ever was, also the deleted ones. */
    every: (): readonly FakeAdminKey[] => [...keys.values()],
  };
}

function identifier(prefix: string): string {
  return `${prefix}_${random(12)}`;
}

function random(length: number): string {
  return randomBytes(length).toString("base64url").replaceAll(/[-_]/g, "x").slice(0, length);
}
