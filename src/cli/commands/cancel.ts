import type { Command } from "commander";
import { type Cli, examples } from "../cli.ts";
import { defineSteering } from "../steering.ts";

const NOTE = "Takes the way back to the old key. Refused once the old key was switched off.";

export function define(command: Command, cli: Cli): void {
  defineSteering(command, cli, "cancel").addHelpText("after", `\n${NOTE}\n${examples("rotatectl cancel prod-openai")}`);
}
