import type { Command } from "commander";
import type { RotateReply, StartedRotation } from "../../api.ts";
import { type Cli, type Common, examples, JSON_OPTION, print, UsageError } from "../cli.ts";
import { relative } from "../output.ts";

interface Options extends Common {
  readonly now?: true;
  readonly all?: true;
  readonly wait?: true;
  readonly reason?: string;
}

export function define(command: Command, cli: Cli): void {
  command
    .argument("[name]", "a credential")
    .option("--all", "every credential")
    .option("--now", "without regard to schedule and window, and without overlap")
    .option("--wait", "show the five steps until it is over; Ctrl-C stops the watching, not the rotation")
    .option("--reason <text>", "for the records")
    .option(...JSON_OPTION)
    .addHelpText(
      "after",
      examples(
        "rotatectl rotate prod-openai",
        "rotatectl rotate prod-openai --now --wait --reason 'a laptop was stolen'",
        "rotatectl rotate --all --idempotency-key monday-42",
      ),
    )
    .action((name: string | undefined, options: Options) => rotate(cli, name, options));
}

async function rotate(cli: Cli, name: string | undefined, options: Options): Promise<void> {
  if ((name === undefined) === (options.all === undefined)) {
    throw new UsageError("rotate needs a credential or --all, and not both", "rotatectl status lists the credentials");
  }
  const rest = { now: options.now ?? false, ...(options.reason !== undefined && { reason: options.reason }) };
  const reply = await cli.client.call("rotate", name === undefined ? { all: true, ...rest } : { name, ...rest });
  for (const { error } of reply.refused) {
    cli.io.err(`rotatectl: error: ${error.message}`);
    if (error.hint !== null) cli.io.err(`rotatectl: hint: ${error.hint}`);
  }
  if (options.wait) await report(cli, options, reply.rotations, reply.refused);
  else await print(cli, options, reply, () => reply.rotations.map((started) => announce(started, cli.io.now())).join("\n"));
  if (reply.refused.length > 0) cli.exitCode = Math.max(cli.exitCode, 1);
}

/** Watches what was started, and prints how it ended, beside what was refused. */
export async function report(
  cli: Cli,
  options: Common,
  started: readonly StartedRotation[],
  refused: RotateReply["refused"] = [],
): Promise<void> {
  const { verdict, waitFor } = await import("../wait.ts");
  for (const one of started) if (!one.started) cli.io.err(announce(one, cli.io.now()));
  const ended = await waitFor(
    cli,
    started.map(({ rotation }) => rotation),
  );
  if (ended.length > 0 || options.json) await print(cli, options, { rotations: ended, refused }, () => ended.map(verdict).join("\n"));
  for (const { outcome, lastError } of ended)
    if (outcome === "failed" && lastError?.hint !== undefined) cli.io.err(`rotatectl: hint: ${lastError.hint}`);
}

/** What became of a request to start, in one line. */
export function announce({ rotation, started }: StartedRotation, now: number): string {
  const { credential, id, plan, startedAt, outcome } = rotation;
  if (started) return `${credential}: started rotation ${id} (${plan})`;
  if (outcome !== null) return `${credential}: rotation ${id} (${plan}) is ${outcome} already`;
  return `${credential}: rotation ${id} (${plan}) is open already, since ${relative(startedAt, now)}`;
}
