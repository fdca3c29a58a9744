import type { ConsumerDefinition } from "../../src/contract/consumer.ts";
import { command } from "./command.ts";

/** Every kind of consumer, by the name that the configuration calls it (`type:`). */
export const CONSUMERS = { command } as const satisfies Record<string, ConsumerDefinition>;
