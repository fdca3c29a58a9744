import { Command, CommanderError } from "commander";
import { ControlError } from "../api-errors.ts";
import { ownVersion } from "../version.ts";
import { type Cli, UsageError } from "./cli.ts";
import type { Client } from "./client.ts";
import { COMMANDS } from "./commands/index.ts";
import { type Io, processIo } from "./io.ts";
import { printable } from "./output.ts";
import { Unreachable } from "./unreachable.ts";

const DEFAULT_SOCKET = "/run/rotated/control.sock";

/**
 * Runs `rotatectl` and answers its exit code: 0 done, 1 failed, 2 wrong usage, 3 stuck, 130 stopped watching.
 * Results go to stdout, everything else to stderr; no error shows a stack.
 */
export async function main(argv: readonly string[], given: Io = processIo()): Promise<number> {
  const io: Io = { ...given, out: (text) => given.out(printable(text)), err: (text) => given.err(printable(text)) };
  const program = new Command("rotatectl");
  const socket = () => program.opts<{ socket?: string }>().socket;
  const key = () => program.opts<{ idempotencyKey?: string }>().idempotencyKey;
  let client: Promise<Client> | undefined;
  // Loaded when something is asked: help needs no HTTP.
  const open = async () => (await import("./client.ts")).openClient(socket() ?? (io.env["ROTATED_SOCKET"] || DEFAULT_SOCKET), key());
  const call: Client["call"] = (...request) => {
    client ??= open();
    return client.then((opened) => opened.call(...request));
  };
  const cli: Cli = { io, client: { call }, socket, exitCode: 0 };
  try {
    await describe(program, cli, argv);
    await program.parseAsync(argv, { from: "user" });
    return cli.exitCode;
  } catch (error) {
    return report(error, io, calledCommand(argv));
  }
}

/** The program as far as this call needs it: a command that comes first stands alone, and only the one that is named has its options. */
async function describe(program: Command, cli: Cli, argv: readonly string[]): Promise<void> {
  program
    .description("Looks at and steers rotated, the daemon that rotates the keys of LLM vendors.")
    .option("--version", "output the version number")
    .option("--socket <path>", `the daemon's socket (default: $ROTATED_SOCKET or ${DEFAULT_SOCKET})`, socketPath)
    .option("--idempotency-key <text>", "for scripts: the same request with the same key is done once", requestKey)
    .on("option:version", () => {
      cli.io.out(ownVersion());
      throw new CommanderError(0, "commander.version", "");
    })
    .exitOverride()
    .showSuggestionAfterError()
    .configureOutput({
      writeOut: (text) => cli.io.out(text.trimEnd()),
      writeErr: (text) => cli.io.err(text.trimEnd()),
      outputError: () => {},
    })
    .addHelpText(
      "after",
      "\nExit codes: 0 done, 1 failed, 2 wrong usage, 3 stuck (a person is needed).\n'rotatectl COMMAND --help' has examples.",
    );
  const named = calledCommand(argv);
  const [first = ""] = argv;
  if (first === "help" && named !== undefined && named !== "help" && !Object.hasOwn(COMMANDS, named))
    throw new UsageError(`unknown command '${named}'`, "see rotatectl --help");
  for (const [name, { summary, load, hidden }] of Object.entries(COMMANDS)) {
    if (name !== first && first !== "__complete" && Object.hasOwn(COMMANDS, first)) continue;
    const command = program.command(name, { hidden: hidden === true }).description(summary);
    if (name === named || named === "__complete") (await load()).define(command, cli);
  }
}

/** An empty path would make Node call port 80 of this host, with what was meant for the daemon. */
function socketPath(path: string): string {
  if (path !== "") return path;
  throw new UsageError("--socket is empty", `leave it out for $ROTATED_SOCKET or ${DEFAULT_SOCKET}`);
}

/** What a header can carry, and the daemon keeps. */
function requestKey(text: string): string {
  if (/^[\x21-\x7e]{1,128}$/.test(text)) return text;
  throw new UsageError("--idempotency-key is not usable", "1 to 128 printable ASCII characters without spaces");
}

/** The first word that is neither an option nor the value of one. */
function calledCommand(argv: readonly string[]): string | undefined {
  const values = argv.map((_, index) => ["--socket", "--idempotency-key"].includes(argv[index - 1] ?? ""));
  const words = argv.filter((word, index) => !word.startsWith("-") && !values[index]);
  return words[0] === "help" ? words[1] : words[0];
}

function report(error: unknown, io: Io, command: string | undefined): number {
  if (error instanceof CommanderError) return reportUsage(error, io, command);
  const known = error instanceof ControlError || error instanceof Unreachable || error instanceof UsageError;
  io.err(`rotatectl: error: ${error instanceof Error ? error.message : String(error)}`);
  const hint = known ? error.hint : "this is a fault in rotatectl: please report it";
  if (hint !== null) io.err(`rotatectl: hint: ${hint}`);
  const usage = error instanceof UsageError || (error instanceof ControlError && error.code === "invalid");
  return usage ? 2 : 1;
}

/** commander says `error: …`, and may suggest something on a second line. Help that was asked for is no error. */
function reportUsage(error: CommanderError, io: Io, command: string | undefined): number {
  if (error.exitCode === 0) return 0;
  if (error.code === "commander.help") return 2;
  const [message = "", suggestion] = error.message.replace(/^error: /, "").split("\n");
  const page = command !== undefined && Object.hasOwn(COMMANDS, command) ? `rotatectl ${command} --help` : "rotatectl --help";
  io.err(`rotatectl: error: ${message.replace(/\.$/, "")}`);
  io.err(`rotatectl: hint: ${suggestion?.replace(/^\(D(.*)\)$/, "d$1") ?? `see ${page}`}`);
  return 2;
}
