import type { Command } from "commander";
import type { Cli } from "../cli.ts";
import type { Client } from "../client.ts";

export function define(command: Command, cli: Cli): void {
  command.argument("[words...]").action(async (words: readonly string[]) => {
    const current = words.at(-1) ?? "";
    const found = await candidates(words.slice(0, -1), current, command.parent ?? command, cli);
    const fitting = found.filter((word) => word.startsWith(current));
    if (fitting.length > 0) cli.io.out(fitting.join("\n"));
  });
}

/** What may stand where `current` is begun, after `before`. */
async function candidates(before: readonly string[], current: string, program: Command, cli: Cli): Promise<readonly string[]> {
  const options = (command: Command) => command.options.filter((option) => !option.hidden).map((option) => option.long ?? "");
  const takesValue = [program, ...program.commands].flatMap((command) => command.options).filter((option) => option.required);
  if (takesValue.some((option) => option.long === before.at(-1))) return [];
  const operands = before.filter((word, index) => !word.startsWith("-") && !takesValue.some((option) => option.long === before[index - 1]));
  const [name, ...given] = operands;
  const command = program.commands.find((known) => known.name() === name);
  if (current.startsWith("-")) return [...(command === undefined ? [] : options(command)), ...options(program), "--help"];
  if (name === undefined) return program.commands.map((known) => known.name()).filter((known) => !known.startsWith("_"));
  const argument = command?.registeredArguments[given.length];
  const names = NAMES[argument?.name() ?? ""];
  return names === undefined ? (argument?.argChoices ?? []) : names(cli.client).catch(() => []);
}

/** What the daemon can tell of an argument with this name. Nothing while it does not answer: a completion must not talk. */
const NAMES: Readonly<Record<string, (client: Client) => Promise<readonly string[]>>> = { name: credentials, consumer: consumers };

async function credentials(client: Client): Promise<readonly string[]> {
  return (await client.call("status", {})).credentials.map(({ name }) => name);
}

/** Those that a credential uses: others cannot be paired. */
async function consumers(client: Client): Promise<readonly string[]> {
  const found = new Set<string>();
  for (const name of await credentials(client)) for (const used of (await client.call("show", { name })).consumers) found.add(used);
  // No name of the configuration has a space, as that of "rotated itself" has.
  return [...found].filter((name) => !name.includes(" "));
}
