import { randomBytes } from "node:crypto";
import { Refusal } from "./replies.ts";

export const STATUSES = ["active", "inactive", "archived", "expired"] as const;
export type Status = (typeof STATUSES)[number];

/** A key as the fake knows it. All times are Unix milliseconds. */
export interface FakeKey {
  readonly id: string;
  name: string;
  /** Only for tests that play the consumer, or the person who has it from the Console. */
  readonly secret: string;
  readonly hint: string;
  /** `null`: of the organization's default workspace. */
  readonly workspace: string | null;
  /** The service account that it acts as; `null` for a key without an owner. */
  readonly serviceAccount: string | null;
  readonly createdAt: number;
  readonly expiresAt: number | null;
  state: Exclude<Status, "expired">;
  /** When its state was last changed. */
  stateSince: number;
  /** Known, but may do nothing. */
  forbidden: boolean;
  /** When each accepted and each refused request came. */
  readonly uses: number[];
  readonly refusals: number[];
}

export interface FakeAdminKey {
  readonly id: string;
  readonly secret: string;
}

/** How far behind itself the vendor is. Zero everywhere: at once. */
export interface Lags {
  /** How long a key that was made or switched on is still refused. */
  onMs: number;
  /** How long a key that was switched off or archived is still accepted. */
  offMs: number;
}

/** What is not documented, as the fake shall play it. */
export interface Rules {
  /** What a request with a key that is switched off is answered. */
  inactiveIs: 401 | 403;
  /** What archiving an archived key is answered. */
  archivedAgain: 200 | 400;
  /** Active keys that the organization, or one workspace, may have. */
  mostActive: number | null;
  mostActiveInWorkspace: number | null;
}

const NO_LAGS: Readonly<Lags> = { onMs: 0, offMs: 0 };
const USUAL: Readonly<Rules> = { inactiveIs: 401, archivedAgain: 200, mostActive: null, mostActiveInWorkspace: null };

export type Vendor = ReturnType<typeof makeVendor>;

/** The state of one organization and its keys; no HTTP. */
export function makeVendor() {
  const keys = new Map<string, FakeKey>();
  const workspaces = new Map<string, { readonly id: string; archivedAt: number | null }>();
  const admins: FakeAdminKey[] = [];
  const lags: Lags = { ...NO_LAGS };
  const rules: Rules = { ...USUAL };
  /** The real id of the default workspace, which only the newer version of the API tells. */
  const defaultWorkspace = addWorkspace();

  function addWorkspace(): string {
    const id = `wrkspc_${random(12)}`;
    workspaces.set(id, { id, archivedAt: null });
    return id;
  }

  function addAdmin(): FakeAdminKey {
    const admin = { id: `apikey_${random(12)}`, secret: `sk-ant-admin01-${random(3)}-canary-${random(40)}AA` };
    admins.push(admin);
    return admin;
  }

  /** What a person does in the Console: there is no call for it. */
  function addKey(name: string, more: Partial<FakeKey> = {}): FakeKey {
    const secret = more.secret ?? `sk-ant-api03-${random(3)}-canary-${random(40)}AA`;
    const now = Date.now();
    const key: FakeKey = {
      id: `apikey_${random(12)}`,
      name,
      secret,
      hint: `${secret.slice(0, 16)}...${secret.slice(-4)}`,
      workspace: null,
      serviceAccount: `svac_${random(12)}`,
      createdAt: now,
      expiresAt: null,
      state: "active",
      stateSince: now,
      forbidden: false,
      uses: [],
      refusals: [],
      ...more,
    };
    keys.set(key.id, key);
    return key;
  }

  function key(id: string): FakeKey {
    const found = keys.get(id);
    if (found === undefined) throw new Refusal(404, "API key not found");
    return found;
  }

  const statusOf = ({ state, expiresAt }: FakeKey): Status =>
    state !== "archived" && expiresAt !== null && expiresAt <= Date.now() ? "expired" : state;

  function setState(changed: FakeKey, state: FakeKey["state"]): void {
    const now = statusOf(changed);
    if (now === "expired") throw new Refusal(400, "An expired API key cannot be changed");
    if (now === "archived" && state === "archived" && rules.archivedAgain === 400) throw new Refusal(400, "API key is already archived");
    if (now === state) return;
    if (state === "active") mustHaveRoom(changed);
    changed.state = state;
    changed.stateSince = Date.now();
  }

  function mustHaveRoom({ workspace }: FakeKey): void {
    const active = [...keys.values()].filter((row) => statusOf(row) === "active");
    const there = active.filter((row) => row.workspace === workspace);
    if (rules.mostActive !== null && active.length >= rules.mostActive)
      throw new Refusal(400, "The organization has reached its limit of active API keys.", { code: "org_api_key_limit_exceeded" });
    if (rules.mostActiveInWorkspace !== null && there.length >= rules.mostActiveInWorkspace)
      throw new Refusal(400, "The workspace has reached its limit of active API keys.", { code: "workspace_api_key_limit_exceeded" });
  }

  /** The key that a request by this secret is accepted for; else the vendor's refusal of it. */
  function use(secret: string): FakeKey {
    const found = [...keys.values()].find((candidate) => candidate.secret === secret);
    if (found === undefined) throw new Refusal(401, "invalid x-api-key");
    const status = statusOf(found);
    const age = Date.now() - found.stateSince;
    const works = status === "active" ? age >= lags.onMs : status !== "expired" && age < lags.offMs;
    if (!works) {
      found.refusals.push(Date.now());
      if (status === "inactive" && rules.inactiveIs === 403) throw new Refusal(403, "This API key is disabled");
      throw new Refusal(401, "invalid x-api-key");
    }
    if (found.forbidden) throw new Refusal(403, "Your API key does not have permission to use the specified resource");
    found.uses.push(Date.now());
    return found;
  }

  function reset(): void {
    Object.assign(lags, NO_LAGS);
    Object.assign(rules, USUAL);
  }

  return {
    lags,
    rules,
    workspaces,
    defaultWorkspace,
    addWorkspace,
    addAdmin,
    addKey,
    key,
    statusOf,
    setState,
    use,
    reset,
    isAdmin: (secret: string): boolean => admins.some((admin) => admin.secret === secret),
    /** Every key that ever was, also the archived ones, oldest first. */
    everyKey: (): readonly FakeKey[] => [...keys.values()],
  };
}

function random(length: number): string {
  return randomBytes(length).toString("base64url").replaceAll(/[-_]/g, "x").slice(0, length);
}
