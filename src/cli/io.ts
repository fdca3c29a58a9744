import { writeSync } from "node:fs";

/** Exit code of one who stopped watching: with Ctrl-C, or because nobody reads any more. */
export const INTERRUPTED = 130;

/** What the command line touches of its process, so that a test can be one. */
export interface Io {
  /** Results. */
  readonly out: (text: string) => void;
  /** Everything else. */
  readonly err: (text: string) => void;
  /** Standard error is a terminal, so a line may be drawn again. */
  readonly tty: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly now: () => number;
  /** A secret from a prompt without echo or from stdin; `undefined` when it is too long for one. */
  readonly readSecret: (prompt: string) => Promise<string | undefined>;
  /** All of stdin; `undefined` when it is longer than `limit` bytes, or when a terminal is there and no program. */
  readonly readInput: (limit: number) => Promise<string | undefined>;
  /** From now on Ctrl-C aborts this signal, and does not end the process. */
  readonly interrupt: () => AbortSignal;
  /** How long one that waits for a rotation pauses before it looks for the daemon again, and when it gives up. */
  readonly reconnect: { readonly everyMs: number; readonly limitMs: number };
}

export function processIo(): Io {
  let waiting = false;
  for (const [name, stream] of [["stdout", process.stdout] as const, ["stderr", process.stderr] as const])
    stream.on("error", (error: NodeJS.ErrnoException) => {
      // The reader of a pipe may have seen enough: no fault, and the exit code still says what was found. But nobody need wait.
      if (error.code === "EPIPE" && !waiting) return;
      if (error.code === "EPIPE") process.exit(INTERRUPTED);
      if (name === "stdout") tellWriteError(error);
      process.exit(1);
    });
  return {
    out: (text) => process.stdout.write(`${text}\n`),
    err: (text) => process.stderr.write(`${text}\n`),
    tty: process.stderr.isTTY === true && process.env["TERM"] !== "dumb",
    env: process.env,
    now: () => Date.now(),
    readSecret: async (prompt) => (await import("./read-secret.ts")).readSecret(prompt),
    readInput: async (limit) => (await import("./read-input.ts")).readInput(limit),
    interrupt: () => {
      waiting = true;
      const interrupted = new AbortController();
      process.once("SIGINT", () => interrupted.abort());
      return interrupted.signal;
    },
    reconnect: { everyMs: 500, limitMs: 300_000 },
  };
}

/** Written at once: the process ends before a stream would write. */
function tellWriteError({ code, message }: NodeJS.ErrnoException): void {
  const hint = "what was asked may be done: free some space, or write elsewhere, then look with rotatectl status";
  try {
    writeSync(2, `rotatectl: error: cannot write to stdout: ${code ?? message}\nrotatectl: hint: ${hint}\n`);
  } catch {
    // Standard error is gone, too; the exit code tells.
  }
}
