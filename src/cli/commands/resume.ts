import type { Command } from "commander";
import { type Cli, examples } from "../cli.ts";
import { definePausing } from "../pausing.ts";

export function define(command: Command, cli: Cli): void {
  definePausing(command, cli, "resume").addHelpText("after", examples("rotatectl resume prod-openai", "rotatectl resume --all"));
}
