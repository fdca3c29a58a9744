import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { noteGroup, teardown } from "./support/process-groups.ts";

test("a group with a note is ended with the run; one that was stopped, or only has the number of one, is not", async () => {
  const folder = mkdtempSync(join(tmpdir(), "rotated-groups-test-"));
  vi.stubEnv("ROTATED_TEST_GROUPS", folder);
  const start = () => {
    const child = spawn("sleep", ["60"], { detached: true, stdio: "ignore" });
    return { child, gone: once(child, "exit"), stopped: noteGroup(child.pid ?? 0) };
  };
  const [forgotten, stopped, stranger] = [start(), start(), start()];
  stopped.stopped();
  writeFileSync(join(folder, String(stranger.child.pid)), "1");
  teardown();
  vi.unstubAllEnvs();
  expect(await forgotten.gone).toEqual([null, "SIGKILL"]);
  expect(existsSync(folder)).toBe(false);
  for (const { child, gone } of [stopped, stranger]) {
    child.kill("SIGTERM");
    expect(await gone).toEqual([null, "SIGTERM"]);
  }
});
