import { randomBytes } from "node:crypto";

export const ACCOUNT = "123456789012";
const DAY_MS = 86_400_000;

/** One service-specific credential of an IAM user. */
export interface FakeCredential {
  readonly id: string;
  readonly user: string;
  readonly alias: string;
  readonly secret: string;
  /** Whole seconds, as AWS tells them. */
  readonly createdAt: number;
  readonly bornAt: number;
  expiresAt: number | null;
  active: boolean;
  deletedAt: number | null;
  offSince: number | null;
  /** The user's policy denies it everything. */
  denied: boolean;
}

/** Delays with which Bedrock gets to know what IAM was told. */
export interface Lags {
  newKeyMs: number;
  revokedMs: number;
}

export type Status = "Active" | "Inactive" | "Expired";

/** IAM's users and their keys for Bedrock, in memory. */
export function makeVendor(users: readonly string[]) {
  const credentials: FakeCredential[] = [];
  /** Access keys that may call IAM: the secret, and whether it may change things. */
  const callers = new Map<string, { readonly secret: string; readonly readOnly: boolean }>();
  const lags: Lags = { newKeyMs: 0, revokedMs: 0 };
  let made = 0;

  const isThere = ({ deletedAt }: FakeCredential) => deletedAt === null;
  const statusOf = ({ active, expiresAt }: FakeCredential): Status => {
    if (expiresAt !== null && Date.now() >= expiresAt) return "Expired";
    return active ? "Active" : "Inactive";
  };

  return {
    lags,
    knowsUser: (user: string) => users.includes(user),
    of: (user: string) => credentials.filter((credential) => credential.user === user && isThere(credential)),
    everyKey: (): readonly FakeCredential[] => credentials,
    statusOf,

    key(id: string): FakeCredential {
      const found = credentials.find((credential) => credential.id === id);
      if (found === undefined) throw new Error(`no credential ${id}`);
      return found;
    },

    /** A further access key that may call IAM, in the document that AWS's tools read. */
    addCaller(readOnly = false): string {
      const id = `AKIA${randomName(16).toUpperCase()}`;
      const secret = `canary/${randomName(33)}`;
      callers.set(id, { secret, readOnly });
      return JSON.stringify({ Version: 1, AccessKeyId: id, SecretAccessKey: secret });
    },
    caller: (id: string) => callers.get(id),
    removeCaller: (id: string) => callers.delete(id),

    addKey(user: string, ageDays?: number): FakeCredential {
      const bornAt = Date.now();
      const createdAt = Math.floor(bornAt / 1000) * 1000;
      const alias = `${user}${made === 0 ? "" : `+${made}`}-at-${ACCOUNT}`;
      made += 1;
      const credential: FakeCredential = {
        id: `ACCA${randomName(17).toUpperCase()}`,
        user,
        alias,
        secret: secretWith(alias),
        createdAt,
        bornAt,
        expiresAt: ageDays === undefined ? null : createdAt + ageDays * DAY_MS,
        active: true,
        deletedAt: null,
        offSince: null,
        denied: false,
      };
      credentials.push(credential);
      return credential;
    },

    setActive(credential: FakeCredential, active: boolean): void {
      credential.active = active;
      credential.offSince = active ? null : Date.now();
    },

    /** What Bedrock makes of a bearer, now and with its delays. */
    judge(secret: string): "accepted" | "denied" | "expired" | "unknown" {
      const found = credentials.find((credential) => credential.secret === secret);
      const now = Date.now();
      if (found === undefined || now < found.bornAt + lags.newKeyMs) return "unknown";
      const goneSince = found.deletedAt ?? found.offSince;
      if (goneSince !== null && now >= goneSince + lags.revokedMs) return "unknown";
      if (statusOf(found) === "Expired") return "expired";
      return found.denied ? "denied" : "accepted";
    },

    clear(): void {
      for (const credential of credentials) credential.deletedAt ??= Date.now();
    },
  };
}

export type Vendor = ReturnType<typeof makeVendor>;

/** In base64 the alias, a colon and a password. `canary` is base64, too, so that a search finds it as it stands. */
function secretWith(alias: string): string {
  const open = `${alias}:`;
  const filled = open.padEnd(Math.ceil(open.length / 3) * 3, "x");
  return `ABSK${Buffer.from(filled).toString("base64")}canary${randomName(42)}`;
}

const randomName = (length: number) =>
  randomBytes(length)
    .toString("hex")
    .replaceAll(/[0189]/g, "a")
    .slice(0, length);
