import type { ProviderDefinition } from "../src/contract/provider.ts";
import { anyLlm } from "./any-llm.ts";
import { azureOpenAi } from "./azure-openai.ts";
import { gemini } from "./gemini.ts";
import { openai } from "./openai.ts";

/** Every vendor that `type` may name under `providers:`. */
export const PROVIDERS = { "any-llm": anyLlm, "azure-openai": azureOpenAi, gemini, openai } as const satisfies Record<
  string,
  ProviderDefinition
>;

export type ProviderName = keyof typeof PROVIDERS;
