import type { Command } from "commander";
import { type Cli, type Common, JSON_OPTION, print } from "./cli.ts";

/** `cancel`, `retry` and `abandon`: a word about the open rotation of one credential. */
export function defineSteering(command: Command, cli: Cli, operation: "cancel" | "retry" | "abandon"): Command {
  return command
    .argument("<name>", "a credential")
    .option(...JSON_OPTION)
    .action(async (name: string, options: Common) => {
      const reply = await cli.client.call(operation, { name });
      await print(cli, options, reply, () => `${name}: rotation ${reply.rotation.id}: ${reply.message}`);
    });
}
