import type { ProviderDefinition } from "../src/contract/provider.ts";
import { anthropic } from "./anthropic.ts";
import { anyLlm } from "./any-llm.ts";
import { awsAccessKey } from "./aws-access-key.ts";
import { awsBedrock } from "./aws-bedrock.ts";
import { azureOpenAi } from "./azure-openai.ts";
import { gemini } from "./gemini.ts";
import { litellm } from "./litellm.ts";
import { openai } from "./openai.ts";
import { openaiAdmin } from "./openai-admin.ts";
import { openclawToken } from "./openclaw-token.ts";
import { openrouter } from "./openrouter.ts";
import { vaultApprole } from "./vault-approle.ts";

/** Every vendor that `type` may name under `providers:`. */
export const PROVIDERS = {
  anthropic,
  "any-llm": anyLlm,
  "aws-access-key": awsAccessKey,
  "aws-bedrock": awsBedrock,
  "azure-openai": azureOpenAi,
  gemini,
  litellm,
  openai,
  "openai-admin": openaiAdmin,
  "openclaw-token": openclawToken,
  openrouter,
  "vault-approle": vaultApprole,
} as const satisfies Record<string, ProviderDefinition>;

export type ProviderName = keyof typeof PROVIDERS;
