import type { Command } from "commander";
import { type Cli, examples } from "../cli.ts";
import { definePausing } from "../pausing.ts";

export function define(command: Command, cli: Cli): void {
  definePausing(command, cli, "pause").addHelpText("after", examples("rotatectl pause prod-openai", "rotatectl pause --all"));
}
