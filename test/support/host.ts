import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { stringify } from "yaml";
import type { CredentialReply } from "../../src/api.ts";
import type { RotationView } from "../../src/api-views.ts";
import { type Client, openClient } from "../../src/cli/client.ts";

export const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** Every wait of the design, short enough for a test. */
export const QUICK_TIMING = {
  callTimeout: "2s",
  proveTimeout: "10s",
  verify: { times: 3, over: "20ms", deadline: "2s" },
  reloadSettle: "300ms",
  drainLimit: "30s",
  confirm: { times: 3, apart: "10ms", limit: "10s" },
  waits: ["50ms", "100ms", "200ms"],
  tellAfter: "10s",
  poll: "20ms",
  spread: "0ms",
} as const;

export interface HostOptions {
  readonly config: object;
  /** Files of the credentials directory. */
  readonly credentials?: Readonly<Record<string, string>>;
  /** Modules that are loaded before the daemon. */
  readonly preload?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** A directory with a configuration, and the real daemon in a process of its own. */
export class Host {
  readonly directory = mkdtempSync(join(tmpdir(), "rotated-host-"));
  readonly configPath = join(this.directory, "rotated.yaml");
  readonly socket = join(this.directory, "control.sock");
  readonly client: Client = openClient(this.socket);
  /** What the daemons of this host wrote to stderr, all of them. */
  log = "";
  daemon: ChildProcess | undefined;
  readonly #options: HostOptions;

  constructor(options: (host: { path(name: string): string }) => HostOptions) {
    this.#options = options(this);
    for (const [name, value] of Object.entries(this.#options.credentials ?? {})) this.write(`credentials-${name}`, value);
    this.configure(this.#options.config);
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  /** A reference to a file of the credentials. */
  static credential(host: { path(name: string): string }, name: string) {
    return { file: host.path(`credentials-${name}`) };
  }

  write(name: string, content: string): void {
    writeFileSync(this.path(name), content, { mode: 0o600 });
  }

  folder(name: string): void {
    mkdirSync(this.path(name), { mode: 0o700 });
  }

  read(name: string): string {
    return readFileSync(this.path(name), "utf8");
  }

  configure(config: object): void {
    const base = { stateDirectory: this.path("state"), socket: this.socket, timing: QUICK_TIMING };
    this.write("rotated.yaml", stringify({ ...base, ...config }));
  }

  /** Starts the daemon and waits until it answers. `env` and `preload` are for this start only. */
  async start(more: { env?: Readonly<Record<string, string>>; preload?: readonly string[] } = {}): Promise<void> {
    this.launch(more);
    try {
      await this.ready();
    } catch (error) {
      await this.end("SIGKILL");
      throw error;
    }
  }

  /** Starts the daemon without waiting. */
  launch({ env = {}, preload = [] }: { env?: Readonly<Record<string, string>>; preload?: readonly string[] } = {}): ChildProcess {
    const imports = [...(this.#options.preload ?? []), ...preload].flatMap((module) => ["--import", module]);
    const daemon = spawn(process.execPath, [...imports, join(ROOT, "bin/rotated"), "--config", this.configPath], {
      stdio: ["ignore", "ignore", "pipe"],
      env: { PATH: process.env["PATH"] ?? "", LOG_LEVEL: "debug", ...this.#options.env, ...env },
    });
    daemon.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.log += text;
    });
    this.daemon = daemon;
    return daemon;
  }

  async ready(): Promise<void> {
    // A start takes 0.3 s; on a machine where five tests at once wait for two cores, many times that.
    const until = Date.now() + 30_000;
    for (;;) {
      const answered = await this.client.call("status", {}).then(
        () => true,
        () => false,
      );
      if (answered) return;
      if (!this.alive || Date.now() > until) throw new Error(`the daemon did not get ready:\n${this.tail()}`);
      await sleep(15);
    }
  }

  /** The end of the log, for a failure's message: without the requests that the test itself makes. */
  tail(): string {
    return this.log
      .split("\n")
      .filter((line) => !line.includes('"msg":"request"'))
      .slice(-25)
      .join("\n");
  }

  get alive(): boolean {
    return this.daemon !== undefined && this.daemon.exitCode === null && this.daemon.signalCode === null;
  }

  /** Ends the daemon by a signal, and waits until it is gone. */
  async end(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    if (!this.alive) return;
    const gone = once(this.daemon as ChildProcess, "exit");
    this.daemon?.kill(signal);
    await gone;
  }

  async show(name: string): Promise<CredentialReply> {
    return this.client.call("show", { name });
  }

  /** Starts a rotation and gives its first view. */
  async rotate(name: string): Promise<RotationView> {
    const { rotations } = await openClient(this.socket).call("rotate", { name, now: true });
    const [first] = rotations;
    if (first === undefined) throw new Error("no rotation was started");
    return first.rotation;
  }

  /** Waits until a rotation is over, or stuck; throws with its state and the log when that takes too long. */
  async settled(id: number, ms = 60_000): Promise<RotationView> {
    const until = Date.now() + ms;
    for (;;) {
      const { rotation } = await this.client.call("watch", { id, after: Number.MAX_SAFE_INTEGER, waitMs: 500 });
      if (rotation.outcome !== null || rotation.stuck !== null) return rotation;
      if (Date.now() > until) throw new Error(`rotation ${id} did not end: ${JSON.stringify(rotation)}\n${this.tail()}`);
    }
  }

  async remove(): Promise<void> {
    await this.end("SIGKILL");
    rmSync(this.directory, { recursive: true, force: true });
  }
}
