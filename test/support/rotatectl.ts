import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { ROOT } from "./host.ts";

/** What a person sees of one command. */
export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the real `rotatectl` against a socket, with next to nothing in its environment. */
export function rotatectl(socket: string, ...args: readonly string[]): Promise<Ran> {
  return run({ ROTATED_SOCKET: socket }, args, "");
}

/** Asks for the values of these credentials, as OpenClaw does. */
export function resolve(socket: string, ...ids: readonly string[]): Promise<Ran> {
  return run({}, ["--socket", socket, "resolve"], JSON.stringify({ protocolVersion: 1, provider: "rotated", ids }));
}

async function run(env: Readonly<Record<string, string>>, args: readonly string[], input: string): Promise<Ran> {
  const child = spawn(process.execPath, [join(ROOT, "bin/rotatectl"), ...args], {
    stdio: ["pipe", "pipe", "pipe"],
    env: { PATH: process.env["PATH"] ?? "", ...env },
  });
  child.stdin.on("error", () => undefined).end(input); // most commands read nothing
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (text: string) => {
      output[name] += text;
    });
  }
  await once(child, "close");
  return { code: child.exitCode, ...output };
}
