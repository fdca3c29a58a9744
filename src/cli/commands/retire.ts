import type { Command } from "commander";
import { type Cli, type Common, examples, JSON_OPTION, print } from "../cli.ts";

const NOTE = "The live key is left as it is, and goes on working: delete it in the vendor's console once nothing uses it.";

export function define(command: Command, cli: Cli): void {
  command
    .argument("<name>", "a credential")
    .option(...JSON_OPTION)
    .addHelpText("after", `\n${NOTE}\n${examples("rotatectl retire old-openai")}`)
    .action(async (name: string, options: Common) => {
      const reply = await cli.client.call("retire", { name });
      await print(cli, options, reply, () => `${name}: ${reply.message}`);
    });
}
