import { z } from "zod";
import type { CreatedKey, VendorKey } from "../../src/contract/provider.ts";
import { Secret } from "../../src/contract/secret.ts";

/** With SQLite the gateway leaves the offset out; all its times are UTC. */
const HAS_OFFSET = /(?:Z|[+-]\d\d:\d\d)$/;
const time = z
  .string()
  .refine((text) => !Number.isNaN(Date.parse(text)))
  .transform((text) => ({ at: new Date(HAS_OFFSET.test(text) ? text : `${text}Z`), hasOffset: HAS_OFFSET.test(text) }));

const fields = {
  id: z.string().min(1),
  key_name: z.string().nullish(),
  user_id: z.string().nullish(),
  created_at: time,
  expires_at: time.nullish(),
  is_active: z.boolean(),
  metadata: z.record(z.string(), z.unknown()).nullish(),
};

/** The gateway may add fields at any time: what is not named here is let through. */
export const keyRow = z.looseObject({ ...fields, last_used_at: time.nullish() });
export const keyPage = z.array(keyRow);
export const createdKey = z.looseObject({ ...fields, key: z.string().min(1) });
/** A 204 has no content. */
export const deleted = z.undefined();
export type KeyRow = z.output<typeof keyRow>;

type Fields = Pick<KeyRow, "id" | "key_name" | "created_at" | "expires_at" | "is_active">;

/** A row of a listing as a key. `now` in Unix milliseconds: an expired key is not enabled. */
export function toKey(row: KeyRow, now: number): VendorKey {
  return { ...common(row, now), lastUsedAt: row.last_used_at?.at ?? null };
}

/** The reply to a create: the one answer that holds the secret. */
export function toCreated(row: z.output<typeof createdKey>, now: number): CreatedKey {
  return { ...common(row, now), lastUsedAt: null, secret: new Secret(row.key) };
}

function common(row: Fields, now: number): VendorKey {
  const expiresAt = row.expires_at?.at;
  const expired = expiresAt !== undefined && expiresAt.getTime() <= now;
  return {
    id: row.id,
    label: row.key_name ?? "",
    createdAt: row.created_at.at,
    enabled: row.is_active && !expired,
    ...(expiresAt !== undefined && { expiresAt }),
  };
}
