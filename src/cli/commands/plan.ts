import type { Command } from "commander";
import type { PlanReply } from "../../api.ts";
import { type Cli, type Common, examples, findingLines, JSON_OPTION, print } from "../cli.ts";
import { table } from "../output.ts";

export function define(command: Command, cli: Cli): void {
  command
    .argument("<name>", "a credential")
    .option(...JSON_OPTION)
    .addHelpText(
      "after",
      `\nChanges nothing, and makes the requests of pre-flight now. Exit code 1 when something would stop the rotation.\n${examples("rotatectl plan prod-openai")}`,
    )
    .action(async (name: string, options: Common) => {
      const reply = await cli.client.call("plan", { name });
      await print(cli, options, reply, () => words(reply));
      cli.exitCode = reply.findings.length === 0 ? 0 : 1;
    });
}

function words(reply: PlanReply): string {
  const rows = reply.effects.map(({ step, checklist, target, effect, irreversible }) => [
    checklist ?? "–",
    step,
    `${target.kind} ${target.name}`,
    irreversible ? `${effect} (cannot be undone)` : effect,
  ]);
  const feel = reply.effects.flatMap(({ step, target, consumersFeel }) =>
    consumersFeel === null ? [] : [`  ${target.name} at ${step}: ${consumersFeel}`],
  );
  const stops = reply.findings.flatMap((finding) => findingLines(finding).map((line) => `  ${line}`));
  return [
    `${reply.credential}: ${reply.plan}`,
    ...reply.notes.map((note) => `  ${note}`),
    "",
    table(["CHECKLIST", "STEP", "WHERE", "EFFECT"], rows),
    "",
    ...(feel.length === 0 ? ["consumers feel nothing"] : ["consumers feel:", ...feel]),
    ...(stops.length === 0 ? [] : ["", "now it would be stopped by:", ...stops]),
  ].join("\n");
}
