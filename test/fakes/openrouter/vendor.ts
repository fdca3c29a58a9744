import { createHash, randomBytes, randomUUID } from "node:crypto";
import { Refusal } from "./replies.ts";

/** A key as the fake knows it. All times are Unix milliseconds. */
export interface FakeKey {
  readonly hash: string;
  /** Only for tests that play the consumer. */
  readonly secret: string;
  readonly workspaceId: string;
  readonly creatorUserId: string;
  readonly externalUser: string | null;
  readonly createdAt: number;
  readonly expiresAt: number | null;
  name: string;
  disabled: boolean;
  limit: number | null;
  limitReset: string | null;
  includeByokInLimit: boolean;
  /** In USD. */
  usage: number;
  updatedAt: number | null;
  deleted: boolean;
}

/** What nobody has seen the vendor do, and what it may do otherwise. */
export interface Rules {
  /** What a key that is switched off is told; not documented. */
  disabledAnswers: 401 | 403;
  /** Whether a hash is that of the secret; not documented. */
  hashIsOfSecret: boolean;
  /** The account has spent all that it bought. */
  noCredit: boolean;
  /** Each listing finds another key used last, and those come first; the order is not documented. */
  usedComeFirst: boolean;
  /** Whether its listings page; one that does not shows all, or as much as fits a page, whatever is asked. */
  pages: boolean;
  /** Whether there are guardrails at all. */
  hasGuardrails: boolean;
}

const TODAYS_RULES: Readonly<Rules> = {
  disabledAnswers: 401,
  hashIsOfSecret: true,
  noCredit: false,
  usedComeFirst: false,
  pages: true,
  hasGuardrails: true,
};

export const DEFAULT_WORKSPACE = "00000000-0000-4000-8000-000000000001";

export type Vendor = ReturnType<typeof makeVendor>;

/** The state of one OpenRouter account and its keys; no HTTP. */
export function makeVendor() {
  const keys = new Map<string, FakeKey>();
  const managementKeys = new Map<string, { readonly name: string }>();
  const workspaces = new Set([DEFAULT_WORKSPACE]);
  /** The hashes of each guardrail's keys. */
  const guardrails = new Map<string, Set<string>>();
  const rules: Rules = { ...TODAYS_RULES };
  let listings = 0;

  function addKey(name: string, more: Partial<FakeKey> = {}): FakeKey {
    const secret = `sk-or-v1-canary${randomBytes(29).toString("hex")}`;
    const key: FakeKey = {
      hash: createHash("sha256")
        .update(rules.hashIsOfSecret ? secret : randomUUID())
        .digest("hex"),
      secret,
      name,
      workspaceId: DEFAULT_WORKSPACE,
      creatorUserId: "user_owner",
      externalUser: null,
      createdAt: Date.now(),
      expiresAt: null,
      disabled: false,
      limit: null,
      limitReset: null,
      includeByokInLimit: false,
      usage: 0,
      updatedAt: null,
      deleted: false,
      ...more,
    };
    keys.set(key.hash, key);
    return key;
  }

  function key(hash: string): FakeKey {
    const found = keys.get(hash);
    if (found === undefined || found.deleted) throw new Refusal(404, "API key not found");
    return found;
  }

  /** The key of a secret that may be used now; refuses like the vendor. */
  function accepted(secret: string): FakeKey {
    const found = [...keys.values()].find((candidate) => candidate.secret === secret && !candidate.deleted);
    if (found === undefined || (found.expiresAt !== null && found.expiresAt <= Date.now())) throw new Refusal(401, "User not found.");
    if (found.disabled) throw new Refusal(rules.disabledAnswers, "API key is disabled");
    return found;
  }

  /** As a listing shows them. */
  function inOrder(shown: readonly FakeKey[]): readonly FakeKey[] {
    const newestFirst = shown.toReversed();
    if (!rules.usedComeFirst || shown.length === 0) return newestFirst;
    listings += 1;
    // Of the oldest third: it would stand on a later page.
    const [used] = newestFirst.splice(-1 - (listings % Math.ceil(newestFirst.length / 3)), 1);
    return used === undefined ? newestFirst : [used, ...newestFirst];
  }

  function addManagementKey(): string {
    const secret = `sk-or-v1-canary-management-${randomBytes(16).toString("hex")}`;
    managementKeys.set(secret, { name: "management" });
    return secret;
  }

  function addWorkspace(): string {
    const id = randomUUID();
    workspaces.add(id);
    return id;
  }

  function addGuardrail(): string {
    const id = randomUUID();
    guardrails.set(id, new Set());
    return id;
  }

  return {
    rules,
    guardrails,
    workspaces,
    addKey,
    key,
    inOrder,
    accepted,
    addManagementKey,
    addWorkspace,
    addGuardrail,
    isManagementKey: (secret: string): boolean => managementKeys.has(secret),
    /** Every key that is not deleted, oldest first. */
    everyKey: (): readonly FakeKey[] => [...keys.values()].filter(({ deleted }) => !deleted),
    reset: (): void => void Object.assign(rules, TODAYS_RULES),
  };
}

/** What is left of a key's limit; `null` for no limit. */
export function remaining({ limit, usage }: Pick<FakeKey, "limit" | "usage">): number | null {
  return limit === null ? null : Math.max(0, limit - usage);
}
