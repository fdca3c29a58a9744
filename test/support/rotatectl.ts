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
export async function rotatectl(socket: string, ...args: readonly string[]): Promise<Ran> {
  const child = spawn(process.execPath, [join(ROOT, "bin/rotatectl"), ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: process.env["PATH"] ?? "", ROTATED_SOCKET: socket },
  });
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (text: string) => {
      output[name] += text;
    });
  }
  await once(child, "close");
  return { code: child.exitCode, ...output };
}
