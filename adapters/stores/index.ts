import type { StoreDefinition } from "../../src/contract/store.ts";
import { file } from "./file.ts";

/** Every kind of store, by the name that the configuration calls it (`type:`). */
export const STORES = { file } as const satisfies Record<string, StoreDefinition>;
