import type { StoreDefinition } from "../../src/contract/store.ts";

/** Every kind of store, by the name that the configuration calls it (`type:`), imported when it does. */
export const STORES = {
  "aws-secrets-manager": async () => (await import("./aws-secrets-manager.ts")).awsSecretsManager,
  "env-file": async () => (await import("./env-file.ts")).envFile,
  file: async () => (await import("./file.ts")).file,
  "openclaw-secrets": async () => (await import("./openclaw-secrets.ts")).openclawSecrets,
  vault: async () => (await import("./vault.ts")).vault,
} as const satisfies Readonly<Record<string, () => Promise<StoreDefinition>>>;
