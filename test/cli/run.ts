import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { main } from "../../src/cli/main.ts";
import { openLog } from "../../src/log.ts";
import { type ControlServer, startServer } from "../../src/server.ts";
import { FakeControl, NOW } from "../fakes/control.ts";

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Both, in the order in which they were written. */
  readonly all: string;
}

/** A fake daemon on a socket of its own, and `rotatectl` in this process. */
export interface Bench {
  readonly control: FakeControl;
  readonly socket: string;
  readonly directory: string;
  /** What a person types, or pipes in, where a secret is asked for. */
  typed: string | undefined;
  /** What is piped in. */
  piped: string | undefined;
  start(): Promise<void>;
  stop(): Promise<void>;
  run(argv: readonly string[], interrupted?: AbortSignal, onError?: (text: string) => unknown, env?: Record<string, string>): Promise<Ran>;
  [Symbol.asyncDispose](): Promise<void>;
}

export async function openBench(): Promise<Bench> {
  const directory = await mkdtemp(join(tmpdir(), "rotatectl-"));
  const socket = join(directory, "control.sock");
  const control = new FakeControl();
  let server: ControlServer | undefined;
  const bench: Bench = {
    control,
    socket,
    directory,
    typed: "sk-canary-brought",
    piped: undefined,
    async start() {
      server = await startServer({ path: socket, control, callers: () => ({ act: [], read: [] }), log: openLog("silent") });
    },
    async stop() {
      await server?.close(100);
      server = undefined;
    },
    async run(argv, interrupted = new AbortController().signal, onError = () => {}, env = { ROTATED_SOCKET: socket }) {
      const written: { readonly stream: "out" | "err"; readonly text: string }[] = [];
      const code = await main(argv, {
        out: (text) => void written.push({ stream: "out", text }),
        err: (text) => {
          written.push({ stream: "err", text });
          onError(text);
        },
        tty: false,
        env,
        now: () => NOW,
        readSecret: async () => bench.typed,
        readInput: async () => bench.piped,
        interrupt: () => interrupted,
        reconnect: { everyMs: 20, limitMs: 5000 },
      });
      const join = (lines: typeof written) => lines.map(({ text }) => text).join("\n");
      const of = (stream: "out" | "err") => join(written.filter((one) => one.stream === stream));
      return { code, stdout: of("out"), stderr: of("err"), all: join(written) };
    },
    async [Symbol.asyncDispose]() {
      await bench.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
  await bench.start();
  return bench;
}
