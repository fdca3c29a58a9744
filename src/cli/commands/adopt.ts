import type { Command } from "commander";
import { type Cli, type Common, examples, JSON_OPTION, print } from "../cli.ts";

interface Options extends Common {
  readonly keyId?: string;
}

export function define(command: Command, cli: Cli): void {
  command
    .argument("<name>", "a credential, whose store holds the key already")
    .option("--key-id <id>", "the vendor's id of the key, where its list does not tell which one it is")
    .option(...JSON_OPTION)
    .addHelpText(
      "after",
      `\nReplaces nothing: the key stays in use.\n${examples("rotatectl adopt prod-openai", "rotatectl adopt prod-openai --key-id key_abc123")}`,
    )
    .action(async (name: string, options: Options) => {
      const reply = await cli.client.call("adopt", { name, ...(options.keyId !== undefined && { keyId: options.keyId }) });
      await print(cli, options, reply, () => `${name}: ${reply.message}`);
    });
}
