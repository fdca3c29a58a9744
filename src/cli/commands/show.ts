import type { Command } from "commander";
import type { CredentialReply } from "../../api.ts";
import { type Cli, type Common, examples, JSON_OPTION, print } from "../cli.ts";
import { activity, cureOf, relative, span, table } from "../output.ts";

export function define(command: Command, cli: Cli): void {
  command
    .argument("<name>", "a credential")
    .option(...JSON_OPTION)
    .addHelpText(
      "after",
      examples("rotatectl show prod-openai", "rotatectl show prod-openai --json | jq '.keys[] | select(.stage == \"retiring\")'"),
    )
    .action(async (name: string, options: Common) => {
      const reply = await cli.client.call("show", { name });
      await print(cli, options, reply, () => words(reply, cli.io.now()));
    });
}

function words(reply: CredentialReply, now: number): string {
  const window = reply.window === null ? "any time" : `${reply.window.from} to ${reply.window.to} ${reply.window.zone}`;
  const facts = [
    ["provider", reply.provider],
    ["store", reply.store],
    ["consumers", reply.consumers.join(", ") || "–"],
    ["schedule", `${reply.schedule ?? "none"}, ${window}, overlap ${span(reply.overlapMs)}`],
    ["next", reply.nextAt === null ? "–" : relative(reply.nextAt, now)],
    ["rotation", activity(reply, now)],
  ];
  const cure = reply.open === null ? undefined : cureOf(reply.open);
  const hint = cure === undefined ? [] : [["hint", cure]];
  const intents = reply.openIntents.map((intent) => ["open call", `create ${intent.label}, ${relative(intent.announcedAt, now)}`]);
  const lines = [...facts, ...hint, ...intents].map(([field = "", value]) => `${field.padEnd(10)} ${value}`);
  const keys = reply.keys.map((key) => [
    key.vendorId,
    key.stage === "pooled" && key.disabledAt !== null ? "pooled, off" : key.stage,
    span(key.ageMs),
    key.expiresAt === null ? "–" : relative(key.expiresAt, now),
    key.label,
  ]);
  const list = keys.length === 0 ? "no keys" : table(["KEY", "STAGE", "AGE", "EXPIRES", "LABEL"], keys);
  return [reply.name, ...lines, "", list].join("\n");
}
