import { createHash, randomBytes } from "node:crypto";
import type { Fields } from "./replies.ts";

/** A key as the fake knows it. All times are Unix milliseconds. */
export interface FakeKey {
  readonly token: string;
  /** Only for tests that play the consumer. */
  readonly secret: string;
  readonly alias: string | null;
  /** What a create said of it, beside what has a place of its own here. */
  readonly rights: Fields;
  readonly createdAt: number;
  readonly expiresAt: number | null;
  readonly spend: number;
  blocked: boolean | null;
  lastActive: number | null;
}

/** What the proxy may do otherwise, or later. */
export interface Rules {
  /** How many processes answer in turn, each with keys of its own in memory. */
  replicas: number;
  /** How long a process keeps a key in memory. */
  cacheMs: number;
  /** How long a create takes between its look at the alias and its write. */
  aliasRaceMs: number;
  /** Uses are written this much later, with the time of the writing. */
  flushMs: number;
  /** `disable_custom_api_keys` in the proxy's settings. */
  noCustomKeys: boolean;
}

const TODAYS_RULES: Readonly<Rules> = { replicas: 1, cacheMs: 60_000, aliasRaceMs: 0, flushMs: 0, noCustomKeys: false };

export type Vendor = ReturnType<typeof makeVendor>;

export const hashOf = (secret: string): string => createHash("sha256").update(secret).digest("hex");

/** The state of one LiteLLM installation: a database, and what its replicas remember of it; no HTTP. */
export function makeVendor(masterKey: string) {
  const keys = new Map<string, FakeKey>();
  const archive = new Map<string, FakeKey & { readonly deletedAt: number }>();
  const rules: Rules = { ...TODAYS_RULES };
  /** What each replica has in memory. */
  const memories: Map<string, { readonly key: FakeKey; readonly until: number }>[] = [];
  /** Fields of creates that the proxy took no notice of. */
  const ignored: string[] = [];
  let asked = 0;

  function addKey(alias: string | null, more: Partial<FakeKey> = {}): FakeKey {
    const secret = more.secret ?? `sk-canary-${randomBytes(16).toString("base64url")}`;
    const token = hashOf(secret);
    const known = keys.get(token);
    // Told a secret that it has, the proxy keeps what it has.
    if (known !== undefined) return known;
    const key: FakeKey = {
      token,
      secret,
      alias,
      rights: {},
      createdAt: Date.now(),
      expiresAt: null,
      spend: 0,
      blocked: null,
      lastActive: null,
      ...more,
    };
    keys.set(token, key);
    return key;
  }

  /** The process that answers the next request. */
  function nextReplica(): number {
    return asked++ % rules.replicas;
  }

  function memoryOf(replica: number) {
    memories[replica] ??= new Map();
    return memories[replica];
  }

  /** The key of a secret as this replica knows it: out of its memory, else out of the database. */
  function seenBy(replica: number, secret: string): FakeKey | undefined {
    const memory = memoryOf(replica);
    const token = hashOf(secret);
    const remembered = memory.get(token);
    if (remembered !== undefined && Date.now() < remembered.until) return remembered.key;
    memory.delete(token);
    const key = keys.get(token);
    if (key !== undefined) memory.set(token, { key: { ...key }, until: Date.now() + rules.cacheMs });
    return key;
  }

  /** Changes the database, which only the replica that does it notices at once. */
  function forget(replica: number, token: string): void {
    memoryOf(replica).delete(token);
  }

  function remove(replica: number, token: string): boolean {
    const key = keys.get(token);
    if (key === undefined) return false;
    keys.delete(token);
    archive.set(token, { ...key, deletedAt: Date.now() });
    forget(replica, token);
    return true;
  }

  function noteUse(token: string): void {
    const write = () => {
      const key = keys.get(token);
      if (key !== undefined) key.lastActive = Date.now();
    };
    if (rules.flushMs === 0) write();
    else setTimeout(write, rules.flushMs).unref();
  }

  return {
    masterKey,
    rules,
    keys,
    archive,
    ignored,
    addKey,
    nextReplica,
    seenBy,
    forget,
    remove,
    noteUse,
    withAlias: (alias: string): readonly FakeKey[] => [...keys.values()].filter((key) => key.alias === alias),
    /** Newest first, as a listing shows them. */
    everyKey: (): readonly FakeKey[] => [...keys.values()].toReversed(),
    reset(): void {
      Object.assign(rules, TODAYS_RULES);
      memories.length = 0;
      ignored.length = 0;
    },
  };
}
