import type { Command } from "commander";
import type { Cli } from "../cli.ts";

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
  if (argument?.name() === "name") return credentials(cli);
  return argument?.argChoices ?? [];
}

/** Nothing while no daemon answers: a completion must not talk. */
async function credentials(cli: Cli): Promise<readonly string[]> {
  try {
    return (await cli.client.call("status", {})).credentials.map(({ name }) => name);
  } catch {
    return [];
  }
}
