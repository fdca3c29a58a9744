import type { Command } from "commander";
import type { ConfigError } from "../../config/error.ts";
import type { Proposal } from "../../init/proposal.ts";
import { type Cli, examples } from "../cli.ts";

const NOTE = `It reads the file and those that it includes, asks nobody, and prints no secret. A setting without a value is yours to fill in:
'rotatectl check FILE' names each. Exit code 1 when there is nothing to propose.`;

interface Options {
  readonly output?: string;
  readonly force?: true;
}

export function define(command: Command, cli: Cli): void {
  command
    .argument("[file]", "openclaw.json (default: where OpenClaw has it, ~/.openclaw/openclaw.json)")
    .option("--output <path>", "write the configuration there, with mode 0640, and not to stdout")
    .option("--force", "with --output: in the place of a file that is there")
    .addHelpText("after", `\n${NOTE}\n${examples("rotatectl init", "rotatectl init ./openclaw.json --output /etc/rotated/rotated.yaml")}`)
    .action((file: string | undefined, options: Options) => init(cli, file, options));
}

async function init(cli: Cli, file: string | undefined, options: Options): Promise<void> {
  const { ConfigError: Unreadable } = await import("../../config/error.ts");
  try {
    await proposeTo(cli, file, options);
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    await tell(cli, error);
    cli.exitCode = 1;
  }
}

async function proposeTo(cli: Cli, file: string | undefined, options: Options): Promise<void> {
  const { resolve } = await import("node:path");
  const { defaultPath, homeOf, readOpenClaw } = await import("../../init/read.ts");
  const { propose } = await import("../../init/propose.ts");
  const { loadPlugs } = await import("../plugs.ts");
  const { nameOfUser } = await import("../../accounts.ts");
  const reading = await readOpenClaw(file === undefined ? defaultPath(cli.io.env) : resolve(file), cli.io.env);
  const account = nameOfUser(reading.owner) ?? reading.owner;
  const proposal = propose(reading, { plugs: await loadPlugs(), home: homeOf(cli.io.env), account });
  if (proposal.credentials.length === 0) return nothing(cli, proposal);
  const { writeProposal } = await import("../../init/write.ts");
  const text = writeProposal(proposal);
  if (options.output === undefined) cli.io.out(text.trimEnd());
  else await (await import("../write-new.ts")).writeNew(options.output, text, options.force === true);
  await summary(cli, proposal, options.output);
}

async function summary(cli: Cli, proposal: Proposal, output: string | undefined): Promise<void> {
  const { blanksOf } = await import("../../init/proposal.ts");
  const blanks = blanksOf(proposal).length;
  const parts = [
    count(proposal.credentials.length, "credential"),
    `${count(blanks, "setting")} to fill in`,
    ...(proposal.left.length > 0 ? [`${count(proposal.left.length, "thing")} that it does not rotate, told at its end`] : []),
  ];
  cli.io.err(`rotatectl: ${output === undefined ? "proposed" : `wrote ${output}`}: ${parts.join(", ")}`);
  cli.io.err(`rotatectl: hint: read it, fill it in, and then: rotatectl check ${output ?? "FILE"}`);
}

function nothing(cli: Cli, proposal: Proposal): void {
  cli.exitCode = 1;
  cli.io.err("rotatectl: error: there is nothing to propose: it has no key of a vendor that rotated could replace");
  for (const clause of proposal.left) cli.io.err(`rotatectl: note: ${clause}`);
  cli.io.err("rotatectl: hint: rotatectl providers lists the vendors; docs/configuration.md has the settings");
}

async function tell({ io }: Cli, error: ConfigError): Promise<void> {
  const { describeProblem } = await import("../../config/error.ts");
  for (const problem of error.problems) {
    io.err(`rotatectl: error: ${describeProblem(error.file, problem)}`);
    io.err(`rotatectl: hint: ${problem.hint}`);
  }
}

function count(number: number, what: string): string {
  return `${number} ${number === 1 ? what : `${what}s`}`;
}
