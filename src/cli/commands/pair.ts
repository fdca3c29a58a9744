import type { Command } from "commander";
import { type Cli, type Common, examples, JSON_OPTION, print } from "../cli.ts";

export function define(command: Command, cli: Cli): void {
  command
    .argument("<consumer>", "a name under consumers: in the configuration")
    .option(...JSON_OPTION)
    .addHelpText("after", `\nExit code 1 while something is left for you to do there.\n${examples("rotatectl pair gateway")}`)
    .action(async (consumer: string, options: Common) => {
      const reply = await cli.client.call("pair", { consumer });
      await print(cli, options, reply, () => reply.message);
      cli.exitCode = reply.paired ? 0 : 1;
    });
}
