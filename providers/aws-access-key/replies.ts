import { z } from "zod";
import type { VendorKey } from "../../src/contract/provider.ts";

/** AWS may add fields at any time: what is not named here is let through. */
const row = z.looseObject({ AccessKeyId: z.string().min(1), CreateDate: z.date().optional(), Status: z.string() });

/** An empty list is an empty list: where the list itself is missing, it was another answer. */
export const listing = z.looseObject({
  AccessKeyMetadata: z.array(row),
  IsTruncated: z.boolean().optional(),
  Marker: z.string().optional(),
});

export const created = z.looseObject({ AccessKey: row.extend({ SecretAccessKey: z.string().min(1) }) });

/** Without a date the key was never used; without the rest it was another answer. */
export const lastUse = z.looseObject({ AccessKeyLastUsed: z.looseObject({ LastUsedDate: z.date().optional() }) });

export const caller = z.looseObject({ Account: z.string().min(1), Arn: z.string().min(1) });

/** A row as a key. `now` in Unix milliseconds, for a row without a time: a secret that is shown once must not be lost over that. */
export function toKey({ AccessKeyId: id, CreateDate, Status }: z.output<typeof row>, now: number): VendorKey {
  return { id, label: "", createdAt: CreateDate ?? new Date(now), enabled: Status === "Active" };
}
