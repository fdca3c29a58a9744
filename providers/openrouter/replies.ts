import { z } from "zod";
import type { CreatedKey, VendorKey, Verdict } from "../../src/contract/provider.ts";
import { Secret } from "../../src/contract/secret.ts";

const time = z
  .string()
  .refine((text) => !Number.isNaN(Date.parse(text)))
  .transform((text) => new Date(text));

/** The vendor may add fields at any time: what is not named here is let through. */
const keyRow = z.looseObject({
  hash: z.string().min(1),
  name: z.string(),
  /** Both ends of the secret. */
  label: z.string(),
  disabled: z.boolean(),
  limit: z.number().nullable(),
  limit_reset: z.string().nullish(),
  include_byok_in_limit: z.boolean().nullish(),
  created_at: time,
  expires_at: time.nullish(),
  workspace_id: z.string().nullish(),
  creator_user_id: z.string().nullish(),
  external_user: z.string().nullish(),
});
export const keyPage = z.looseObject({ data: z.array(keyRow) });
export const oneKey = z.looseObject({ data: keyRow });
export const createdKey = z.looseObject({ key: z.string().min(1), data: keyRow });
export const deleted = z.looseObject({ deleted: z.literal(true) });
/** What a key is told about itself. */
export const ownKey = z.looseObject({
  data: z.looseObject({ limit_remaining: z.number().nullable(), is_management_key: z.boolean().nullish() }),
});
export type KeyRow = z.output<typeof keyRow>;

/** A row of a listing as a key. `now` in Unix milliseconds: an expired key is not enabled. */
export function toKey(row: KeyRow, now: number): VendorKey {
  const expiresAt = row.expires_at ?? undefined;
  const expired = expiresAt !== undefined && expiresAt.getTime() <= now;
  return {
    id: row.hash,
    label: row.name,
    createdAt: row.created_at,
    enabled: !row.disabled && !expired,
    hint: row.label,
    ...(expiresAt !== undefined && { expiresAt }),
  };
}

/** The reply to a create: the one answer that holds the secret. */
export function toCreated({ key, data }: z.output<typeof createdKey>, now: number): CreatedKey {
  return { ...toKey(data, now), secret: new Secret(key) };
}

/** A key that has spent its limit is known and may do nothing, and so is a management key. */
export function verdictOf({ data }: z.output<typeof ownKey>): Verdict {
  const spent = data.limit_remaining !== null && data.limit_remaining <= 0;
  return spent || data.is_management_key === true ? "limited" : "accepted";
}
