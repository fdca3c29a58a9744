import type { ConsumerDefinition } from "../../src/contract/consumer.ts";
import { command } from "./command.ts";
import { openclaw } from "./openclaw/index.ts";
import { systemdUnit } from "./systemd-unit.ts";

/** Every kind of consumer, by the name that the configuration calls it (`type:`). */
export const CONSUMERS = { command, openclaw, "systemd-unit": systemdUnit } as const satisfies Record<string, ConsumerDefinition>;
