import type { ProviderDefinition } from "../src/contract/provider.ts";
import { anthropic } from "./anthropic.ts";
import { anyLlm } from "./any-llm.ts";
import { gemini } from "./gemini.ts";
import { openai } from "./openai.ts";

/** Every vendor that `type` may name under `providers:`. */
export const PROVIDERS = { anthropic, "any-llm": anyLlm, gemini, openai } as const satisfies Record<string, ProviderDefinition>;

export type ProviderName = keyof typeof PROVIDERS;
