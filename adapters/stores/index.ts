import type { StoreDefinition } from "../../src/contract/store.ts";
import { awsSecretsManager } from "./aws-secrets-manager.ts";
import { file } from "./file.ts";

/** Every kind of store, by the name that the configuration calls it (`type:`). */
export const STORES = { file, "aws-secrets-manager": awsSecretsManager } as const satisfies Record<string, StoreDefinition>;
