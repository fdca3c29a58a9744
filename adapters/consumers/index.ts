import type { ConsumerDefinition } from "../../src/contract/consumer.ts";
import { command } from "./command.ts";
import { openclaw } from "./openclaw/index.ts";

/** Every kind of consumer, by the name that the configuration calls it (`type:`). */
export const CONSUMERS = { command, openclaw } as const satisfies Record<string, ConsumerDefinition>;
