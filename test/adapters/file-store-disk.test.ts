import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

/** A small file system of its own needs a mount namespace, which not every host or account grants. */
const canMount = spawnSync("unshare", ["-m", "mount", "-t", "tmpfs", "none", "/mnt"]).status === 0;

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "rotated-disk-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

/** Runs `body` in a process that sees a file system of 64 KiB at `directory`, and gives what it prints as JSON. */
function onSmallDisk(body: string): unknown {
  const at = (path: string) => JSON.stringify(new URL(path, import.meta.url).href);
  const script = `
    import { execFileSync } from "node:child_process";
    import { readdirSync, readFileSync, writeFileSync } from "node:fs";
    import { file } from ${at("../../adapters/stores/file.ts")};
    import { Secret } from ${at("../../src/contract/secret.ts")};
    import { realWorld } from ${at("../support/real-world.ts")};
    const directory = ${JSON.stringify(directory)};
    const { signal } = new AbortController();
    const place = file.place.parse({ path: directory + "/key.json", field: "/key" });
    const store = file.connect({}, place, { credential: "main" }, realWorld(directory));
    const code = (work) => work.then(() => "done", (error) => error.code);
    const fill = () => { try { for (let n = 0; ; n += 1) writeFileSync(directory + "/filler" + n, Buffer.alloc(4096)); } catch {} };
    await store.stage("v1", new Secret("sk-canary-disk-1"), signal);
    await store.promote("v1", undefined, signal);
    await store.stage("v2", new Secret("sk-canary-disk-2"), signal);
    const seen = () => JSON.parse(readFileSync(place.path, "utf8")).key;
    const answer = await (async () => { ${body} })();
    console.log(JSON.stringify({ ...answer, seen: seen(), left: readdirSync(directory).filter((name) => name.endsWith("-tmp")) }));`;
  const mount = 'mount -t tmpfs -o size=64k none "$1" && exec "$2" --input-type=module -e "$3"';
  const run = spawnSync("unshare", ["-m", "sh", "-c", mount, "sh", directory, process.execPath, script], { encoding: "utf8" });
  expect(run.stderr).toBe("");
  return JSON.parse(run.stdout);
}

describe.runIf(canMount)("the file store on a real file system (skipped where unshare -m or mount is not allowed)", () => {
  it("that is full: says so, keeps the old document, leaves nothing behind, and goes on when there is room", () => {
    const answer = onSmallDisk(`
      fill();
      const full = [await code(store.preflight(signal)), await code(store.stage("v3", new Secret("sk-canary-disk-3"), signal)), await code(store.promote("v2", "v1", signal))];
      const meanwhile = seen();
      execFileSync("sh", ["-c", "rm " + directory + "/filler*"]);
      return { full, meanwhile, after: [await code(store.preflight(signal)), await code(store.promote("v2", "v1", signal))] };`);
    expect(answer).toEqual({
      full: ["full", "full", "full"],
      meanwhile: "sk-canary-disk-1",
      after: ["done", "done"],
      seen: "sk-canary-disk-2",
      left: [],
    });
  });

  it("that has room for the characters of a document and not for its bytes: says so beforehand", () => {
    const answer = onSmallDisk(`
      writeFileSync(place.path, JSON.stringify({ key: "sk-canary-disk-1", note: "\u20ac".repeat(10_000) }));
      return { preflight: await code(store.preflight(signal)), promote: await code(store.promote("v2", "v1", signal)) };`);
    expect(answer).toEqual({ preflight: "full", promote: "full", seen: "sk-canary-disk-1", left: [] });
  });

  it("that is mounted read-only: says so, and still reads", () => {
    const answer = onSmallDisk(`
      execFileSync("mount", ["-o", "remount,ro", directory]);
      const refused = [await code(store.preflight(signal)), await code(store.promote("v2", "v1", signal)), await code(store.discard("v1", signal))];
      return { refused, read: await code(store.read("current", signal)), again: await code(store.promote("v1", "v2", signal)) };`);
    expect(answer).toEqual({
      refused: ["readOnly", "readOnly", "readOnly"],
      read: "done",
      again: "done",
      seen: "sk-canary-disk-1",
      left: [],
    });
  });
});
