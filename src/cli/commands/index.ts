import type { Command } from "commander";
import type { Cli } from "../cli.ts";

/** What a file of a command exports: it adds its arguments, options, help and action. */
interface CommandModule {
  readonly define: (command: Command, cli: Cli) => void;
}

export interface CommandEntry {
  readonly summary: string;
  readonly load: () => Promise<CommandModule>;
  readonly hidden?: true;
}

/** Every command; a file is loaded only when its command is called. */
// biome-ignore format: the columns are the point
export const COMMANDS: Readonly<Record<string, CommandEntry>> = {
  status:     { summary: "all credentials at a glance",                         load: () => import("./status.ts") },
  show:       { summary: "everything of one credential",                        load: () => import("./show.ts") },
  history:    { summary: "what happened, event by event",                       load: () => import("./history.ts") },
  plan:       { summary: "every side effect that a rotation would have",        load: () => import("./plan.ts") },
  rotate:     { summary: "replace the current key",                             load: () => import("./rotate.ts") },
  rehearse:   { summary: "create, verify and revoke a key; consumers see nothing", load: () => import("./rehearse.ts") },
  pause:      { summary: "park rotations before their next side effect",        load: () => import("./pause.ts") },
  resume:     { summary: "let paused rotations go on",                          load: () => import("./resume.ts") },
  cancel:     { summary: "take the open rotation back to the old key",          load: () => import("./cancel.ts") },
  retry:      { summary: "let a stuck rotation try its step again",             load: () => import("./retry.ts") },
  abandon:    { summary: "end the open rotation where it is",                   load: () => import("./abandon.ts") },
  adopt:      { summary: "take an existing key under management",               load: () => import("./adopt.ts") },
  intake:     { summary: "hand in a key that a person made",                    load: () => import("./intake.ts") },
  retire:     { summary: "take a credential out of management",                 load: () => import("./retire.ts") },
  init:       { summary: "propose a configuration from OpenClaw's",              load: () => import("./init.ts") },
  check:      { summary: "look for mistakes in the configuration",              load: () => import("./check.ts") },
  pair:       { summary: "introduce rotated to a consumer",                     load: () => import("./pair.ts") },
  resolve:    { summary: "answer OpenClaw as its secret provider",              load: () => import("./resolve.ts") },
  providers:  { summary: "what each type of provider can",                       load: () => import("./providers.ts") },
  stores:     { summary: "what each type of store can",                          load: () => import("./stores.ts") },
  completion: { summary: "print the completions of a shell",                    load: () => import("./completion.ts") },
  __complete: { summary: "what may come next on the command line",              load: () => import("./complete.ts"), hidden: true },
};
