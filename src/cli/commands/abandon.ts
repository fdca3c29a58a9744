import type { Command } from "commander";
import { type Cli, examples } from "../cli.ts";
import { defineSteering } from "../steering.ts";

const NOTE = "Calls nobody: keys that are left over stay in the ledger, and the next rotation settles them.";

export function define(command: Command, cli: Cli): void {
  defineSteering(command, cli, "abandon").addHelpText("after", `\n${NOTE}\n${examples("rotatectl abandon prod-openai")}`);
}
