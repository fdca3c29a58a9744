import { type ChildProcess, spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { AdapterError } from "../contract/errors.ts";
import { errnoOf } from "../contract/file-errors.ts";
import type { RunCommand } from "../contract/world.ts";

/** What is kept of each output; the rest is read and dropped, so that the program does not block on it. */
const OUTPUT_LIMIT_BYTES = 2 ** 20;
/** How long outputs are awaited after the exit: a process left in the background may hold them open for ever. */
const OUTPUT_GRACE_MS = 500;
const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/**
 * Runs a program in a process group of its own, with nothing in its environment but PATH and `env`. An abort kills the group and
 * rejects with the signal's reason. Each output is cut at 1 MiB. Throws `AdapterError` `misconfigured` for a program
 * that cannot be started.
 */
export const runCommand: RunCommand = async ([program = "", ...args], { stdin, signal, env = {} }) => {
  signal.throwIfAborted();
  const child = start(program, args, env);
  const ended = exit(child, program, signal);
  const [stdout, stderr] = [collect(child.stdout), collect(child.stderr)];
  child.stdin?.on("error", () => undefined); // EPIPE: a program need not read what it is told
  child.stdin?.end(stdin);
  const exitCode = await ended;
  return { exitCode, stdout: stdout(), stderr: stderr() };
};

/** Where this process has no file descriptors left, what comes back has no streams, and its error comes as an event. */
function start(program: string, args: readonly string[], env: Readonly<Record<string, string>>): ChildProcess {
  try {
    return spawn(program, args, { stdio: "pipe", detached: true, cwd: "/", env: { PATH: process.env["PATH"] ?? DEFAULT_PATH, ...env } });
  } catch (error) {
    throw cannotStart(program, error);
  }
}

function exit(child: ChildProcess, program: string, signal: AbortSignal): Promise<number | null> {
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  const abort = () => {
    killGroup(child);
    reject(signal.reason);
  };
  let grace: NodeJS.Timeout | undefined;
  signal.addEventListener("abort", abort, { once: true });
  child.once("error", (error) => reject(cannotStart(program, error)));
  child.once("exit", (code) => {
    grace = setTimeout(() => resolve(code), OUTPUT_GRACE_MS);
  });
  child.once("close", resolve);
  return promise.finally(() => {
    clearTimeout(grace);
    signal.removeEventListener("abort", abort);
    for (const stream of [child.stdin, child.stdout, child.stderr]) stream?.destroy();
  });
}

/** A program that became another account, as sudo does, may not be killed by us: then it is left behind. */
function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch (error) {
    if (!["ESRCH", "EPERM"].includes(errnoOf(error) ?? "")) throw error;
  }
}

/** Gathers the beginning of a stream; the answer is what has arrived so far. */
function collect(stream: Readable | null): () => string {
  const chunks: Buffer[] = [];
  let room = OUTPUT_LIMIT_BYTES;
  stream?.on("data", (chunk: Buffer) => {
    if (room > 0) chunks.push(chunk.subarray(0, room));
    room -= chunk.length;
  });
  stream?.on("error", () => undefined); // the exit code is the answer
  return () => Buffer.concat(chunks).toString("utf8");
}

function cannotStart(program: string, error: unknown): AdapterError {
  const errno = errnoOf(error);
  const passing = errno === "EAGAIN" || errno === "ENOMEM" || errno === "EMFILE" || errno === "ENFILE";
  return new AdapterError(passing ? "unavailable" : "misconfigured", `run ${program}: cannot be started (${errno ?? "unknown error"})`, {
    cause: error,
    ...(passing ? {} : { cure: `see that ${program} is there and that this process may execute it` }),
  });
}
