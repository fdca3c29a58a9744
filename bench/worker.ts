import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface, type Interface } from "node:readline";
import type { Readable } from "node:stream";

/** Where a worker may write a log. It is read and forgotten, as the journal reads a daemon's. */
export const LOG_FD = 3;

/** A process that does rounds of one kind of work: a line of JSON in asks for one, a line out answers. The first line out says it is ready. */
export class Worker<Ready, Round, Answer> {
  readonly ready: Ready;
  readonly #process: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  static async start<Ready, Round, Answer>(
    file: string,
    args: readonly string[],
    options: { readonly cwd?: string; readonly uid?: number; readonly gid?: number } = {},
  ): Promise<Worker<Ready, Round, Answer>> {
    const child = spawn(process.execPath, [file, ...args], { ...options, stdio: ["pipe", "pipe", "inherit", "pipe"] });
    (child.stdio[LOG_FD] as Readable).resume();
    const lines = createInterface({ input: child.stdout as Readable })[Symbol.asyncIterator]();
    return new Worker(child, lines, (await nextLine(lines, file)) as Ready);
  }

  private constructor(child: ChildProcess, lines: AsyncIterator<string>, ready: Ready) {
    this.#process = child;
    this.#lines = lines;
    this.ready = ready;
  }

  async round(round: Round): Promise<Answer> {
    this.#process.stdin?.write(`${JSON.stringify(round)}\n`);
    return (await nextLine(this.#lines, "a worker")) as Answer;
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const gone = once(this.#process, "exit");
    this.#process.stdin?.end();
    await gone;
  }
}

async function nextLine(lines: AsyncIterator<string>, name: string): Promise<unknown> {
  const { value, done } = await lines.next();
  if (done === true) throw new Error(`${name}: ended without an answer`);
  return JSON.parse(value);
}

/** The worker's side: says what it has to say, then answers each round until nobody asks any more. */
export async function serveRounds<Round>(ready: unknown, run: (round: Round) => unknown): Promise<void> {
  const lines: Interface = createInterface({ input: process.stdin });
  process.stdout.write(`${JSON.stringify(ready)}\n`);
  for await (const line of lines) process.stdout.write(`${JSON.stringify(await run(JSON.parse(line) as Round))}\n`);
}
