import { z } from "zod";
import { fits } from "../../src/contract/hint.ts";
import type { CreatedKey, VendorKey } from "../../src/contract/provider.ts";
import { Secret } from "../../src/contract/secret.ts";
import type { Settings } from "./settings.ts";

const seconds = z.number().transform((at) => new Date(at * 1000));
const maybeSeconds = seconds.nullish();

/** The vendor may add fields at any time: what is not named here is let through. */
export const keyRow = z.looseObject({
  id: z.string(),
  name: z.string().nullish(),
  redacted_value: z.string(),
  created_at: seconds,
  last_used_at: maybeSeconds,
  expires_at: maybeSeconds,
  owner: z.looseObject({ service_account: z.looseObject({ id: z.string(), name: z.string() }).nullish() }),
  owner_project_access: z.string().optional(),
});
export const keyPage = z.looseObject({ data: z.array(keyRow), has_more: z.boolean().nullish(), last_id: z.string().nullish() });
export const createdKey = z.looseObject({ id: z.string(), value: z.string().min(1), created_at: seconds, expires_at: maybeSeconds });
export const createdAccount = z.looseObject({ api_key: createdKey });
export const identified = z.looseObject({ id: z.string() });
export const deleted = z.looseObject({ deleted: z.literal(true) });
export type KeyRow = z.output<typeof keyRow>;

/** The part of a create call that says when the key ends; without it the vendor sets none. */
export interface Lifetime {
  readonly expires_in_seconds?: number;
}

/** A row of the admin keys, which carry their label themselves and belong to a user. */
const adminKeyRow = keyRow.omit({ owner: true, owner_project_access: true });
export const adminKeyPage = keyPage.extend({ data: z.array(adminKeyRow) });
export type AdminKeyRow = z.output<typeof adminKeyRow>;

/** How our labels begin. */
export const OUR_LABEL = /^rotated-/;

/** A row of a listing as a key. `now` in Unix milliseconds: an expired key is not enabled. */
export function toKey(row: KeyRow, { accounts }: Settings, now: number): VendorKey {
  // The vendor names the key that comes with an account by itself; what carries our label is the account. `accounts` may
  // have been another when the key was made, so one of our labels counts wherever it stands.
  const names = [row.name, row.owner.service_account?.name];
  const [own, other] = accounts === "per-key" ? names.toReversed() : names;
  const label = [own, other].find((name) => OUR_LABEL.test(name ?? "")) ?? own;
  const key = toAdminKey({ ...row, name: label }, now);
  return { ...key, enabled: key.enabled && row.owner_project_access !== "inactive" };
}

/** The same for an admin key. */
export function toAdminKey(row: AdminKeyRow, now: number): VendorKey {
  const { id, name, created_at: createdAt, expires_at: expiresAt, last_used_at: lastUsedAt } = row;
  return {
    id,
    label: name ?? "",
    createdAt,
    enabled: !(expiresAt instanceof Date && expiresAt.getTime() <= now),
    hint: row.redacted_value,
    // A row without the field tells nothing; `null` is one that was never used.
    ...(lastUsedAt !== undefined && { lastUsedAt }),
    ...(expiresAt instanceof Date && { expiresAt }),
  };
}

/** How long a new key lives: what the setting says, in milliseconds, else as long as the key that it is to be like. */
export function lifetimeFor(expiresIn: number | undefined, like: VendorKey | undefined): Lifetime {
  const ofOld = like?.expiresAt && like.expiresAt.getTime() - like.createdAt.getTime();
  const lifetimeMs = expiresIn ?? ofOld;
  return lifetimeMs === undefined ? {} : { expires_in_seconds: Math.floor(lifetimeMs / 1000) };
}

/** The one row that this secret can be of, as far as the vendor shows. */
export function onlyFit<Row extends { readonly redacted_value: string }>(rows: readonly Row[], secret: Secret): Row | undefined {
  const matches = rows.filter((row) => fits(row.redacted_value, secret));
  return matches.length === 1 ? matches[0] : undefined;
}

/** The reply to a create, under the label that was asked for. */
export function toCreated(label: string, key: z.output<typeof createdKey>): CreatedKey {
  const { id, value, created_at: createdAt, expires_at: expiresAt } = key;
  return {
    id,
    label,
    createdAt,
    enabled: true,
    lastUsedAt: null,
    secret: new Secret(value),
    ...(expiresAt instanceof Date && { expiresAt }),
  };
}
