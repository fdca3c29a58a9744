import type { StoreDefinition } from "../../src/contract/store.ts";
import { awsSecretsManager } from "./aws-secrets-manager.ts";
import { file } from "./file.ts";
import { openclawSecrets } from "./openclaw-secrets.ts";
import { vault } from "./vault.ts";

/** Every kind of store, by the name that the configuration calls it (`type:`). */
export const STORES = {
  "aws-secrets-manager": awsSecretsManager,
  file,
  "openclaw-secrets": openclawSecrets,
  vault,
} as const satisfies Record<string, StoreDefinition>;
