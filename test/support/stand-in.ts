import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const PROGRAM = fileURLToPath(new URL("../fakes/stand-in-consumer.ts", import.meta.url));

/** The stand-in consumer as a process of its own, and the two commands that the consumer `command` is given for it. */
export interface StandIn {
  readonly url: string;
  readonly reload: readonly [string, ...string[]];
  readonly validate: readonly [string, ...string[]];
  stop(): Promise<void>;
}

export async function startStandIn(options: { secret: string; field?: string; socket: string; vendor: string }): Promise<StandIn> {
  await rm(options.socket, { force: true });
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
  const child = spawn(process.execPath, [PROGRAM, "serve", ...args], { stdio: ["ignore", "pipe", "inherit"], env: {} });
  const line = await Promise.race([
    firstLine(child),
    once(child, "exit").then(([code]) => Promise.reject(new Error(`stand-in: exit ${code}`))),
  ]);
  const { port } = JSON.parse(line) as { port: number };
  const client = (action: string) => [process.execPath, PROGRAM, action, "--socket", options.socket] as const;
  return {
    url: `http://127.0.0.1:${port}`,
    reload: client("reload"),
    validate: client("validate"),
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGKILL");
      await once(child, "exit");
    },
  };
}

async function firstLine(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error("stand-in: no output");
  const [line] = await once(createInterface(child.stdout), "line");
  return String(line);
}
