import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../", import.meta.url));
/** How long a program may take to end by itself once it was asked to. */
const END_LIMIT_MS = 5000;

/** When a program that should have ended long ago is given up: a rotation with OpenClaw takes 50 s, and minutes on a busy machine. */
const RUN_LIMIT_MS = 480_000;

/** All that the programs get of the demo's environment. */
const INHERITED = Object.fromEntries(["PATH", "TMPDIR"].map((name) => [name, process.env[name]]));

/** A program of the demo; `ready` is what it said of itself when it began to serve. */
interface Program<T> {
  readonly pid: number | undefined;
  readonly ready: T;
}

/**
 * A directory and the programs that run in it. `leave` ends them all and removes the directory, at any moment: after
 * it, or once `signal` is aborted, nothing more is started.
 */
export class Stage {
  readonly directory = realpathSync(mkdtempSync(join(tmpdir(), "rotated-demo-")));
  readonly signal: AbortSignal;
  /** Rejects when a program that should have stayed has ended. */
  readonly broken: Promise<never>;
  readonly #break: (reason: Error) => void;
  readonly #ends = new AsyncDisposableStack();

  constructor(signal: AbortSignal, keep: boolean) {
    this.signal = signal;
    const broken = Promise.withResolvers<never>();
    this.broken = broken.promise;
    this.#break = broken.reject;
    if (!keep) this.defer(() => rmSync(this.directory, { recursive: true, force: true }));
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  /** Writes a file that nobody else may read; answers the reference to it. */
  secret(name: string, value: string): { readonly file: string } {
    const file = this.path(name);
    writeFileSync(file, value, { mode: 0o600 });
    return { file };
  }

  /** Waits for what is being opened, and closes it when the demo ends, also where that was meanwhile. */
  async hold<T>(opening: Promise<T>, close: (opened: T) => void | Promise<void>): Promise<T> {
    const opened = await opening;
    if (this.signal.aborted) await close(opened);
    this.signal.throwIfAborted();
    this.defer(() => close(opened));
    return opened;
  }

  /** What must be undone when the demo ends. What was begun last is undone first. */
  defer(end: () => void | Promise<void>): void {
    this.#ends.defer(end);
  }

  /** Starts a program of this tree that stays, and waits for the line in which it says that it serves. */
  async start<T>(
    name: string,
    command: readonly [string, ...string[]],
    options: { readonly says: "stdout" | "stderr"; readonly ready: (line: string) => T | undefined },
  ): Promise<Program<T>> {
    const child = this.#spawn(command, ["ignore", "pipe", "pipe"], {});
    const ready = Promise.withResolvers<T>();
    child.once("error", ready.reject);
    for (const stream of ["stdout", "stderr"] as const) {
      createInterface(child[stream] as NodeJS.ReadableStream).on("line", (line) => {
        // What the stand-ins say on stdout has their keys in it.
        if (stream === "stderr") appendFileSync(this.path(`${name}.log`), `${line}\n`);
        const said = stream === options.says ? options.ready(line) : undefined;
        if (said !== undefined) ready.resolve(said);
      });
    }
    child.once("exit", (code, signal) => {
      const ended = new Error(`${name} has ended (${signal ?? `exit code ${code}`})`);
      ready.reject(ended);
      if (!this.signal.aborted) this.#break(ended);
    });
    return { ready: await ready.promise, pid: child.pid };
  }

  /** Runs a program of this tree to its end, or to the limit. What it prints goes where the demo prints, unless it is to be given back. */
  async run(
    command: readonly [string, ...string[]],
    options: { readonly env: Readonly<Record<string, string>>; readonly capture?: boolean; readonly input?: string },
  ): Promise<{ readonly code: number | null; readonly output: string }> {
    const out = options.capture ? "pipe" : "inherit";
    const env = { ...process.env, ...options.env };
    const child = this.#spawn(command, [options.input === undefined ? "ignore" : "pipe", out, out], env);
    // A program that ended before it read says why by its exit code.
    child.stdin?.on("error", () => {}).end(options.input);
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        output += text;
      });
    }
    const timer = setTimeout(() => child.kill("SIGKILL"), RUN_LIMIT_MS);
    const [code, signal] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
    clearTimeout(timer);
    this.signal.throwIfAborted();
    if (signal !== null) throw new Error(`${command.join(" ")} did not end within ${RUN_LIMIT_MS / 1000} s`);
    return { code, output };
  }

  async leave(): Promise<void> {
    await this.#ends.disposeAsync();
  }

  #spawn([file, ...args]: readonly [string, ...string[]], stdio: ("ignore" | "pipe" | "inherit")[], env: NodeJS.ProcessEnv): ChildProcess {
    this.signal.throwIfAborted();
    // In a session of its own: Ctrl-C reaches the demo alone, which ends the others in their order.
    const child = spawn(file, args, { cwd: ROOT, stdio, detached: true, env: { ...INHERITED, ...env } });
    this.defer(() => end(child));
    return child;
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill("SIGTERM");
  const timer = new AbortController();
  await Promise.race([gone, sleep(END_LIMIT_MS, undefined, { signal: timer.signal }).catch(() => {})]);
  timer.abort();
  if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
  await gone;
}
