import type { Command } from "commander";
import { type Cli, type Common, examples, JSON_OPTION, print } from "../cli.ts";
import { announce, report } from "./rotate.ts";

interface Options extends Common {
  readonly wait?: true;
  readonly reason?: string;
}

export function define(command: Command, cli: Cli): void {
  command
    .argument("<name>", "a credential")
    .option("--wait", "show the steps until it is over; Ctrl-C stops the watching, not the rehearsal")
    .option("--reason <text>", "for the records")
    .option(...JSON_OPTION)
    .addHelpText("after", examples("rotatectl rehearse prod-openai --wait"))
    .action(async (name: string, options: Options) => {
      const reply = await cli.client.call("rehearse", { name, ...(options.reason !== undefined && { reason: options.reason }) });
      if (options.wait) await report(cli, options, [reply]);
      else await print(cli, options, reply, () => announce(reply, cli.io.now()));
    });
}
