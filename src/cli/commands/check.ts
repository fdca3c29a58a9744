import type { Command } from "commander";
import type { CheckReply } from "../../api.ts";
import { type Cli, type Common, examples, findingLines, JSON_OPTION, UsageError } from "../cli.ts";

const DEFAULT_FILE = "/etc/rotated/rotated.yaml";
const NOTE = "Without --online no daemon is needed, and nothing is asked but the file. Exit code 1 when something is wrong.";

interface Options extends Common {
  readonly online?: true;
}

export function define(command: Command, cli: Cli): void {
  command
    .argument("[file]", `the configuration (default: ${DEFAULT_FILE})`, fileName)
    .option("--online", "let the running daemon ask each provider, and each store and consumer that a credential uses; beside a file, too")
    .option(...JSON_OPTION)
    .addHelpText("after", `\n${NOTE}\n${examples("rotatectl check", "rotatectl check ./rotated.yaml", "rotatectl check --online")}`)
    .action((file: string | undefined, options: Options) => check(cli, file ?? (options.online ? undefined : DEFAULT_FILE), options));
}

/** What a script passes when its variable is empty. */
function fileName(given: string): string {
  if (given !== "") return given;
  throw new UsageError("the name of the file is empty", `leave it out for ${DEFAULT_FILE}`);
}

async function check(cli: Cli, file: string | undefined, options: Options): Promise<void> {
  const { problems, warnings, lines } = file === undefined ? { problems: [], warnings: [], lines: [] } : await checkFile(file);
  // Before the daemon is asked: a mistake in the file may be why it does not run.
  if (!options.json) {
    for (const warning of warnings) cli.io.err(`rotatectl: warning: ${warning}`);
    if (lines.length > 0) cli.io.out(lines.join("\n"));
  }
  let online: CheckReply | undefined;
  try {
    if (options.online) online = await cli.client.call("check", {});
  } finally {
    if (options.json) cli.io.out(JSON.stringify({ problems, warnings, ...online }, undefined, 2));
  }
  const found = problems.length + (online?.checked ?? []).flatMap(({ findings }) => findings).length;
  cli.exitCode = found === 0 ? 0 : 1;
  if (!options.json && online !== undefined) cli.io.out(onlineLines(online).join("\n"));
}

interface Offline {
  readonly problems: readonly unknown[];
  readonly warnings: readonly string[];
  readonly lines: readonly string[];
}

/** The configuration brings the schemas of its plugs along, so it is loaded only here. */
async function checkFile(file: string): Promise<Offline> {
  const { loadConfig } = await import("../../config/load.ts");
  const { ConfigError, describeProblem } = await import("../../config/error.ts");
  const { REGISTRY } = await import("../../registry.ts");
  try {
    const { warnings, credentials } = await loadConfig(file, REGISTRY);
    const count = Object.keys(credentials).length;
    return { problems: [], warnings, lines: [`✔ ${file}: ${count} ${count === 1 ? "credential" : "credentials"}, no problems`] };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const lines = error.problems.flatMap((problem) => [`✖ ${describeProblem(error.file, problem)}`, `  hint: ${problem.hint}`]);
    return { problems: error.problems, warnings: [], lines };
  }
}

function onlineLines(reply: CheckReply): readonly string[] {
  return reply.checked.flatMap(({ subject, findings }) =>
    findings.length === 0 ? [`✔ ${subject.kind} ${subject.name}`] : findings.flatMap((finding) => findingLines(finding)),
  );
}
