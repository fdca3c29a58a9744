import type { Command } from "commander";
import { type Cli, type Common, examples, JSON_OPTION, print } from "../cli.ts";

interface Options extends Common {
  readonly revoke?: true;
}

const NOTE = "The live key is left as it is, and goes on working, unless --revoke is given.";

export function define(command: Command, cli: Cli): void {
  command
    .argument("<name>", "a credential")
    .option("--revoke", "make its live key dead, too; this cannot be undone")
    .option(...JSON_OPTION)
    .addHelpText("after", `\n${NOTE}\n${examples("rotatectl retire old-openai", "rotatectl retire old-openai --revoke")}`)
    .action(async (name: string, options: Options) => {
      const reply = await cli.client.call("retire", { name, revoke: options.revoke ?? false });
      await print(cli, options, reply, () => `${name}: ${reply.message}`);
    });
}
