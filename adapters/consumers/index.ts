import type { ConsumerDefinition } from "../../src/contract/consumer.ts";

/** Every kind of consumer, by the name that the configuration calls it (`type:`), imported when it does. */
export const CONSUMERS = {
  command: async () => (await import("./command.ts")).command,
  openclaw: async () => (await import("./openclaw/index.ts")).openclaw,
  "systemd-unit": async () => (await import("./systemd-unit.ts")).systemdUnit,
} as const satisfies Readonly<Record<string, () => Promise<ConsumerDefinition>>>;
