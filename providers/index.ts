import type { ProviderDefinition } from "../src/contract/provider.ts";

/** Every vendor that `type` may name under `providers:`, imported when one does. */
export const PROVIDERS = {
  anthropic: async () => (await import("./anthropic.ts")).anthropic,
  "any-llm": async () => (await import("./any-llm.ts")).anyLlm,
  "aws-access-key": async () => (await import("./aws-access-key.ts")).awsAccessKey,
  "aws-bedrock": async () => (await import("./aws-bedrock.ts")).awsBedrock,
  "azure-openai": async () => (await import("./azure-openai.ts")).azureOpenAi,
  gemini: async () => (await import("./gemini.ts")).gemini,
  litellm: async () => (await import("./litellm.ts")).litellm,
  openai: async () => (await import("./openai.ts")).openai,
  "openai-admin": async () => (await import("./openai-admin.ts")).openaiAdmin,
  "openclaw-token": async () => (await import("./openclaw-token.ts")).openclawToken,
  openrouter: async () => (await import("./openrouter.ts")).openrouter,
  "vault-approle": async () => (await import("./vault-approle.ts")).vaultApprole,
} as const satisfies Readonly<Record<string, () => Promise<ProviderDefinition>>>;

export type ProviderName = keyof typeof PROVIDERS;
