import type { StoreDefinition } from "../../src/contract/store.ts";
import { awsSecretsManager } from "./aws-secrets-manager.ts";
import { envFile } from "./env-file.ts";
import { file } from "./file.ts";
import { vault } from "./vault.ts";

/** Every kind of store, by the name that the configuration calls it (`type:`). */
export const STORES = { file, vault, "aws-secrets-manager": awsSecretsManager, "env-file": envFile } as const satisfies Record<
  string,
  StoreDefinition
>;
