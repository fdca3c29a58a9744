import type { Finding } from "../contract/finding.ts";
import type { Client } from "./client.ts";
import type { Io } from "./io.ts";

/** What a command gets. */
export interface Cli {
  readonly io: Io;
  readonly client: Client;
  /** What `--socket` said. */
  readonly socket: () => string | undefined;
  /** 0 done, 1 failed, 2 usage, 3 stuck. */
  exitCode: number;
}

/** The options that many commands share. */
export interface Common {
  readonly json?: true;
}

export const JSON_OPTION = ["--json", "print the daemon's answer as JSON"] as const;

/** Prints the answer of the daemon: as it is, or in words. */
export async function print(cli: Cli, options: Common, reply: unknown, words: () => string | Promise<string>): Promise<void> {
  cli.io.out(options.json ? JSON.stringify(reply, undefined, 2) : await words());
}

/** A finding in two lines: what is wrong, and the cure. */
export function findingLines(finding: Finding): readonly string[] {
  return [`✖ ${finding.message}`, `  hint: ${finding.cure}`];
}

/** The end of a help page. */
export function examples(...lines: readonly string[]): string {
  return ["", "Examples:", ...lines.map((line) => `  $ ${line}`)].join("\n");
}

/** A mistake in how the command was called. */
export class UsageError extends Error {
  override readonly name = "UsageError";
  readonly hint: string;

  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
  }
}
