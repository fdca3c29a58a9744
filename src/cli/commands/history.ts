import type { Command } from "commander";
import { type Cli, type Common, examples, JSON_OPTION, print, UsageError } from "../cli.ts";
import { stamp, table } from "../output.ts";

interface Options extends Common {
  readonly limit: number;
  readonly before?: number;
}

export function define(command: Command, cli: Cli): void {
  command
    .argument("[name]", "a credential; all of them when left out")
    .option("--limit <count>", "at most this many events, the newest", count, 50)
    .option("--before <event>", "only events before this one", count)
    .option(...JSON_OPTION)
    .addHelpText("after", examples("rotatectl history prod-openai", "rotatectl history --limit 500 --json"))
    .action(async (name: string | undefined, options: Options) => {
      const { limit, before } = options;
      const request = { limit, ...(name !== undefined && { name }), ...(before !== undefined && { before }) };
      const reply = await cli.client.call("history", request);
      const rows = reply.events.map((event) => [
        stamp(event.at),
        event.credential,
        event.rotation === null ? "–" : `#${event.rotation}`,
        event.step ?? "–",
        event.text,
      ]);
      await print(cli, options, reply, () =>
        rows.length === 0 ? "no events" : table(["TIME", "CREDENTIAL", "ROTATION", "STEP", "EVENT"], rows.reverse()),
      );
      if (!options.json && reply.next !== null) cli.io.err(`rotatectl: there are older ones: --before ${reply.next}`);
    });
}

function count(text: string): number {
  if (/^[1-9]\d{0,9}$/.test(text)) return Number(text);
  throw new UsageError(`"${text}" is not a number above 0`, "see rotatectl history --help");
}
