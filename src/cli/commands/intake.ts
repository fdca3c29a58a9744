import type { Command } from "commander";
import { Secret } from "../../contract/secret.ts";
import { type Cli, type Common, examples, JSON_OPTION, print, UsageError } from "../cli.ts";

const NOTE = `Reads the key from a prompt without echo, or from stdin: never from the command line, where other users could see it.
The rotation that waits for a key goes on with it; otherwise it waits in the pool for the next one.`;

interface Options extends Common {
  readonly keyId?: string;
}

export function define(command: Command, cli: Cli): void {
  command
    .argument("<name>", "a credential")
    .option("--key-id <id>", "the vendor's id of the key, where its list does not tell which one it is")
    .option(...JSON_OPTION)
    .addHelpText(
      "after",
      `\n${NOTE}\n${examples("rotatectl intake prod-anthropic", "pass show anthropic/next | rotatectl intake prod-anthropic")}`,
    )
    .action(async (name: string, options: Options) => {
      const text = (await cli.io.readSecret(`new key for ${name}: `))?.trim();
      if (text === undefined) throw new UsageError("what was given is too long for a key", "pipe in the key alone");
      if (text === "") throw new UsageError("no key was given", "paste it at the prompt, or pipe it in");
      const secret = new Secret(text);
      const reply = await cli.client.call("intake", { name, secret, ...(options.keyId !== undefined && { keyId: options.keyId }) });
      await print(cli, options, reply, () => `${name}: ${reply.message}`);
    });
}
