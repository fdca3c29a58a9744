import { z } from "zod";
import type { VendorKey } from "../../src/contract/provider.ts";

const time = z.iso.datetime({ offset: true }).transform((at) => new Date(at));

/**
 * The vendor may add fields at any time: what is not named here is let through. `workspace_id` is how the older version of
 * the API says where a key belongs, `scope` is how the newer one does.
 */
export const keyRow = z.looseObject({
  id: z.string().min(1),
  name: z.string(),
  created_at: time,
  expires_at: time.nullish(),
  partial_key_hint: z.string().nullish(),
  status: z.string(),
  workspace_id: z.string().nullish(),
  scope: z.looseObject({ workspace_id: z.string().nullish() }).nullish(),
});
export const keyPage = z.looseObject({ data: z.array(keyRow), has_more: z.boolean(), last_id: z.string().nullish() });
export const workspaceRow = z.looseObject({ id: z.string(), archived_at: z.string().nullish() });
export type KeyRow = z.output<typeof keyRow>;

/** An archived key, and one that has expired, never works again. */
export const isLive = ({ status }: KeyRow): boolean => status !== "archived" && status !== "expired";

/** Whether a row says that it is of another workspace. The older API says nothing of the keys of the default one. */
export function isElsewhere(row: KeyRow, workspace: string | undefined): boolean {
  const said = row.scope?.workspace_id ?? row.workspace_id ?? undefined;
  return workspace !== undefined && said !== undefined && said !== workspace;
}

/** `now` in Unix milliseconds: the status may be behind the clock. */
export function toKey(row: KeyRow, now: number): VendorKey {
  const { expires_at: expiresAt, partial_key_hint: hint } = row;
  const expired = expiresAt instanceof Date && expiresAt.getTime() <= now;
  return {
    id: row.id,
    label: row.name,
    createdAt: row.created_at,
    enabled: row.status === "active" && !expired,
    ...(typeof hint === "string" && { hint }),
    ...(expiresAt instanceof Date && { expiresAt }),
  };
}
