import type { Command } from "commander";
import type { StatusReply } from "../../api.ts";
import { type Cli, type Common, examples, JSON_OPTION, print } from "../cli.ts";
import { activity, relative, span, table } from "../output.ts";

export function define(command: Command, cli: Cli): void {
  command
    .option(...JSON_OPTION)
    .addHelpText("after", examples("rotatectl status", "rotatectl status --json | jq '.credentials[] | select(.open.stuck)'"))
    .action(async (options: Common) => {
      const reply = await cli.client.call("status", {});
      for (const warning of reply.config.warnings) cli.io.err(`rotatectl: warning: ${warning}`);
      await print(cli, options, reply, () => words(reply, cli.io.now()));
    });
}

function words(reply: StatusReply, now: number): string {
  const daemon = `rotated ${reply.version}, up ${span(now - reply.since)}, ${reply.config.path}`;
  if (reply.credentials.length === 0) return `${daemon}\nno credentials`;
  const rows = reply.credentials.map((credential) => [
    credential.name,
    credential.provider,
    credential.current?.vendorId ?? "–",
    credential.current === null ? "–" : span(credential.current.ageMs),
    credential.nextAt === null ? "–" : relative(credential.nextAt, now),
    activity(credential, now),
  ]);
  return `${daemon}\n\n${table(["CREDENTIAL", "PROVIDER", "KEY", "AGE", "NEXT", "ROTATION"], rows)}`;
}
