import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * Programs that lead a process group of their own outlive a worker of the tests that is killed, and a Ctrl-C. While one runs, there is a
 * note of it in the folder that this variable names; what has one when the run ends is ended then.
 */
const FOLDER = "ROTATED_TEST_GROUPS";

/** Vitest calls it once, before all tests of all projects. */
export function setup(): void {
  process.env[FOLDER] = mkdtempSync(join(tmpdir(), "rotated-groups-"));
  // Vitest waits for nothing when a signal ends it.
  process.once("exit", teardown);
}

/** Vitest calls it after all tests. */
export function teardown(): void {
  const folder = process.env[FOLDER];
  if (folder === undefined) return;
  for (const pid of readdirSync(folder)) endGroup(Number(pid), readFileSync(join(folder, pid), "utf8"));
  rmSync(folder, { recursive: true });
  delete process.env[FOLDER];
}

function endGroup(pid: number, start: string): void {
  // Started at another time, it is a stranger with the same number.
  if (startOf(pid) !== start) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended by itself in this moment.
  }
}

/** Notes the group that `pid` leads; what it returns is called when the group has ended. */
export function noteGroup(pid: number): () => void {
  const folder = process.env[FOLDER];
  if (folder === undefined) return () => {};
  const note = join(folder, String(pid));
  writeFileSync(note, startOf(pid) ?? "");
  return () => rmSync(note, { force: true });
}

/** When a process started, in ticks since the system did; `undefined` when there is none. */
function startOf(pid: number): string | undefined {
  try {
    // The 22nd field; the second is a name in brackets, which may hold anything.
    return readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ")[19];
  } catch {
    return undefined;
  }
}
