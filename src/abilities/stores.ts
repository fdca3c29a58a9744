import type { Plugs } from "../config/schema.ts";

/** What a type of store can. */
export interface StoreAbilities {
  readonly type: string;
  readonly title: string;
  /** It can be a credential's `store`. */
  readonly primary: boolean;
  /** It can be one of a credential's `mirrors`. */
  readonly mirror: boolean;
  /** Where it keeps versions beside the current one; `null` for a mirror, which has none. */
  readonly keep: string | null;
}

export function storeAbilities({ stores }: Plugs): readonly StoreAbilities[] {
  return Object.entries(stores).map(([type, { title, connect, mirror, keep }]) => ({
    type,
    title,
    primary: connect !== undefined,
    mirror: mirror !== undefined,
    keep: keep ?? null,
  }));
}
