import type { Command } from "commander";
import { type Cli, type Common, JSON_OPTION, print, UsageError } from "./cli.ts";

interface Options extends Common {
  readonly all?: true;
}

/** `pause` and `resume`: the same arguments, the same answer. */
export function definePausing(command: Command, cli: Cli, operation: "pause" | "resume"): Command {
  return command
    .argument("[name]", "a credential")
    .option("--all", "every credential")
    .option(...JSON_OPTION)
    .action(async (name: string | undefined, options: Options) => {
      if ((name === undefined) === (options.all === undefined)) {
        throw new UsageError(`${operation} needs a credential or --all, and not both`, "rotatectl status lists the credentials");
      }
      const reply = await cli.client.call(operation, name === undefined ? { all: true } : { name });
      const lines = reply.credentials.map(
        (credential) => `${credential.name}: ${credential.changed ? "now" : "already"} ${credential.paused ? "paused" : "running"}`,
      );
      await print(cli, options, reply, () => lines.join("\n"));
    });
}
