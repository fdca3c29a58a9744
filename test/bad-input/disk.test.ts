import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

/** A small file system of its own needs a mount namespace, which not every host or account grants. */
const canMount = spawnSync("unshare", ["-m", "mount", "-t", "tmpfs", "none", "/mnt"]).status === 0;
const why = canMount ? "" : " (skipped: unshare -m and mount are not allowed here)";

/** Runs disk-main.ts in a namespace with 6 MiB for one part of the daemon. */
async function onSmallDisk(what: "state" | "store" | "read-only"): Promise<Record<string, unknown>> {
  const small = mkdtempSync(join(tmpdir(), "rotated-small-"));
  try {
    const script = 'mount -t tmpfs -o size=6m none "$SMALL" && exec "$0" "$@"';
    const program = fileURLToPath(new URL("disk-main.ts", import.meta.url));
    const child = spawn("unshare", ["-m", "sh", "-c", script, process.execPath, program, what], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, SMALL: small, TMPDIR: what === "state" ? tmpdir() : small },
    });
    const output = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const) {
      child[name].setEncoding("utf8").on("data", (text: string) => {
        output[name] += text;
      });
    }
    await once(child, "close");
    expect(child.exitCode, output.stderr).toBe(0);
    const seen = JSON.parse(output.stdout) as Record<string, unknown>;
    expect(seen["failed"]).toBeUndefined();
    return seen;
  } finally {
    rmSync(small, { recursive: true, force: true });
  }
}

/** With the cause cured, the rotation ended well, and nothing was lost or made twice. */
const WELL = { outcome: "done", error: null, created: 1, intents: 1, serves: true, dead: true, leaked: false };
const error = (message: string, hint: string) => ({
  code: 1,
  stdout: "",
  stderr: `rotatectl: error: ${message}\nrotatectl: hint: ${hint}\n`,
});

const ROTATECTL = fileURLToPath(new URL("../../bin/rotatectl", import.meta.url));
const VENDORS = fileURLToPath(new URL("../cli/init/vendors.json5", import.meta.url));

describe.skipIf(!canMount)(`a disk that fails${why}`, () => {
  test("the state directory is full: told to who asks and in the log, and nothing is lost", { timeout: 120_000 }, async () => {
    const seen = await onSmallDisk("state");
    expect(seen).toMatchObject(WELL);
    const full = error("cannot write the ledger: the disk is full", "free some space; nothing was lost");
    expect(seen["rotate"]).toEqual(full);
    expect(seen["pause"]).toEqual(full);
    expect(seen["status"], "reading goes on").toBe(0);
    expect(seen["again"], "also after a restart").toEqual(full);
    expect(seen["first"]).toEqual({
      code: 1,
      said: [{ msg: expect.stringMatching(/fresh.*(the disk is full|ENOSPC)$/), hint: expect.stringMatching(/full|free some space/) }],
    });
    expect(seen["said"]).toMatchObject({
      err: { message: "cannot write the ledger: the disk is full", hint: "free some space; nothing was lost" },
    });
  });

  test("the store is full: waits, and goes on", { timeout: 120_000 }, async () => {
    const seen = await onSmallDisk("store");
    expect(seen).toMatchObject(WELL);
    expect(seen["waits"]).toMatchObject({
      code: "full",
      message: expect.stringMatching(/^file store: try a write beside .*: no space left on the device$/),
    });
    expect(seen["check"]).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/no space left on the device\n.*hint: .*free some space/),
    });
  });

  test("the store is read-only: the rotation fails before anything is changed, and the next is done", { timeout: 120_000 }, async () => {
    const seen = await onSmallDisk("read-only");
    expect(seen).toMatchObject(WELL);
    expect(seen["rotate"]).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/failed.*read-only file system/),
      stderr: expect.stringMatching(/hint: ./),
    });
    expect(seen["check"]).toMatchObject({ code: 1, stdout: expect.stringMatching(/read-only file system\n.*hint: .*mounted read-only/) });
  });

  test("rotatectl init leaves no half of a file", () => {
    const small = mkdtempSync(join(tmpdir(), "rotated-small-"));
    const output = join(small, "rotated.yaml");
    const fill = 'mount -t tmpfs -o size=16k none "$SMALL" && head -c 16384 /dev/zero > "$SMALL/full"; "$@"; echo $?; ls "$SMALL"';
    const args = [process.execPath, ROTATECTL, "init", VENDORS, "--output", output];
    const ran = spawnSync("unshare", ["-m", "sh", "-c", fill, "sh", ...args], { env: { ...process.env, SMALL: small }, encoding: "utf8" });
    rmSync(small, { recursive: true });
    expect(ran.stderr).toContain(`rotatectl: error: ${output} cannot be written: ENOSPC`);
    expect(ran.stdout).toBe("2\nfull\n");
  });
});
