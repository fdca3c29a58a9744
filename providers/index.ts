import type { ProviderDefinition } from "../src/contract/provider.ts";
import { anyLlm } from "./any-llm.ts";
import { gemini } from "./gemini.ts";
import { openai } from "./openai.ts";
import { openclawToken } from "./openclaw-token.ts";

/** Every vendor that `type` may name under `providers:`. */
export const PROVIDERS = { "any-llm": anyLlm, gemini, openai, "openclaw-token": openclawToken } as const satisfies Record<
  string,
  ProviderDefinition
>;

export type ProviderName = keyof typeof PROVIDERS;
