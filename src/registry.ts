import { CONSUMERS } from "../adapters/consumers/index.ts";
import { STORES } from "../adapters/stores/index.ts";
import { PROVIDERS } from "../providers/index.ts";
import type { Registry } from "./config/registry.ts";

/** All that rotated can plug in. */
export const REGISTRY: Registry = { providers: PROVIDERS, stores: STORES, consumers: CONSUMERS };
