import { z } from "zod";
import type { VendorKey } from "../../src/contract/provider.ts";

/** All times of the proxy are UTC, with an offset or without. */
const HAS_OFFSET = /(?:Z|[+-]\d\d:\d\d)$/;
const time = z
  .string()
  .refine((text) => !Number.isNaN(Date.parse(text)))
  .transform((text) => new Date(HAS_OFFSET.test(text) ? text : `${text}Z`));

/** The proxy may add fields at any time: what is not named here is let through. */
const fields = {
  key_alias: z.string().nullish(),
  blocked: z.boolean().nullish(),
  created_at: time.nullish(),
  expires: time.nullish(),
  last_active: time.nullish(),
};
const listedRow = z.looseObject({ ...fields, token: z.string().min(1) });
export const keyPage = z.looseObject({ keys: z.array(listedRow), total_pages: z.number() });
/** One key by its hash, which is not repeated. A deleted one is shown from the archive. */
export const keyInfo = z.looseObject({
  info: z.looseObject({
    ...fields,
    status: z.string().nullish(),
    deleted_at: time.nullish(),
    budget_limits: z.array(z.record(z.string(), z.unknown())).nullish(),
    object_permission: z.record(z.string(), z.unknown()).nullish(),
  }),
});
export const createdKey = z.looseObject({
  key: z.string().min(1),
  /** Versions differ in the name of the hash. */
  token: z.string().nullish(),
  token_id: z.string().nullish(),
  created_at: time.nullish(),
  expires: time.nullish(),
});
export const switched = z.looseObject({});
export const deleted = z.looseObject({ deleted_keys: z.array(z.string()) });

export type KeyRow = z.output<typeof listedRow>;
export type KeyInfo = z.output<typeof keyInfo>["info"];

/**
 * A row of a listing as a key. `now`, in Unix milliseconds, is when it was made where the row does not say; an expired key stays
 * listed, and is not enabled.
 */
export function toKey(row: Pick<KeyRow, "token" | keyof typeof fields>, now: number): VendorKey {
  const expiresAt = row.expires ?? undefined;
  const expired = expiresAt !== undefined && expiresAt.getTime() <= now;
  return {
    id: row.token,
    label: row.key_alias ?? "",
    createdAt: row.created_at ?? new Date(now),
    enabled: row.blocked !== true && !expired,
    // Older versions do not have the field: that says nothing of uses.
    ...(row.last_active !== undefined && { lastUsedAt: row.last_active }),
    ...(expiresAt !== undefined && { expiresAt }),
  };
}
