import type { Command } from "commander";
import { type Cli, examples } from "../cli.ts";
import { defineSteering } from "../steering.ts";

const NOTE = "For a rotation that is stuck: clears it, and runs the step now.";

export function define(command: Command, cli: Cli): void {
  defineSteering(command, cli, "retry").addHelpText("after", `\n${NOTE}\n${examples("rotatectl retry prod-openai")}`);
}
