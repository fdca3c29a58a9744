import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

export const BIN = fileURLToPath(new URL("../bin/", import.meta.url));

/** Runs a program to its end; milliseconds from before it is started until it is gone. */
export async function timeOf(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  stdin = "",
): Promise<number> {
  const from = performance.now();
  const child = spawn(command, args, { stdio: ["pipe", "ignore", "ignore"], env: { PATH: process.env["PATH"] ?? "", ...env } });
  child.stdin.on("error", () => undefined).end(stdin); // most programs read nothing
  const [code] = await once(child, "exit");
  const ms = performance.now() - from;
  if (code !== 0) throw new Error(`${command} ${args.join(" ")}: exit ${code}`);
  return ms;
}

/** An idle Node with nothing in it, to compare with. */
export function emptyNode(): ChildProcess {
  return spawn(process.execPath, ["-e", "setInterval(() => {}, 1 << 30)"], { stdio: "ignore" });
}

/** Resident memory in MB (10⁶ bytes). */
export function residentMb(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return (Number(kilobytes) * 1024) / 1e6;
}

/** What all threads of a process used so far: time on a processor, and how often one of them went to sleep. */
export function usedBy(pid: number): { readonly cpuMs: number; readonly sleeps: number } {
  let cpuMs = 0;
  let sleeps = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const directory = `/proc/${pid}/task/${thread}`;
    // Nanoseconds; utime and stime of `stat` count in hundredths of a second.
    cpuMs += Number(readFileSync(`${directory}/schedstat`, "utf8").split(" ")[0]) / 1e6;
    sleeps += Number(/^voluntary_ctxt_switches:\s+(\d+)$/m.exec(readFileSync(`${directory}/status`, "utf8"))?.[1]);
  }
  return { cpuMs, sleeps };
}

export function pidOf(child: ChildProcess | undefined): number {
  if (child?.pid === undefined) throw new Error("the process did not start");
  return child.pid;
}
