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
  // The reader of a pipe may have seen enough.
  for (const stream of [process.stdout, process.stderr]) stream.once("error", () => process.exit());
  return {
    out: (text) => process.stdout.write(`${text}\n`),
    err: (text) => process.stderr.write(`${text}\n`),
    tty: process.stderr.isTTY === true && process.env["TERM"] !== "dumb",
    env: process.env,
    now: () => Date.now(),
    readSecret: async (prompt) => (await import("./read-secret.ts")).readSecret(prompt),
    readInput: async (limit) => (await import("./read-input.ts")).readInput(limit),
    interrupt: () => {
      const interrupted = new AbortController();
      process.once("SIGINT", () => interrupted.abort());
      return interrupted.signal;
    },
    reconnect: { everyMs: 500, limitMs: 300_000 },
  };
}
