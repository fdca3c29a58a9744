import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  linkSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { fileError } from "../src/contract/file-errors.ts";
import { nameBehindTemporary } from "../src/contract/temporary.ts";
import { realFiles } from "../src/world/files.ts";

const hasStrace = spawnSync("strace", ["-V"]).status === 0;
const isRoot = process.getuid?.() === 0;
const FILES = new URL("../src/world/files.ts", import.meta.url).href;

let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "rotated-files-"));
  path = join(directory, "key");
});
afterEach(() => rmSync(directory, { recursive: true }));

const modeOf = (file: string) => statSync(file).mode & 0o7777;

describe("replace", () => {
  it("makes a file of mode 0600 whatever the umask, and leaves nothing else", async () => {
    const umask = process.umask(0o277);
    await realFiles.replace(path, "canary").finally(() => process.umask(umask));
    expect([readFileSync(path, "utf8"), modeOf(path), readdirSync(directory)]).toEqual(["canary", 0o600, ["key"]]);
  });

  it("takes the mode that is given", async () => {
    await realFiles.replace(path, "canary", { mode: 0o400 });
    await realFiles.replace(path, "canary again", { mode: 0o400 });
    expect([readFileSync(path, "utf8"), modeOf(path)]).toEqual(["canary again", 0o400]);
  });

  it("does not write into the file that it replaces: who has it open reads the old content", async () => {
    writeFileSync(path, "old canary");
    linkSync(path, join(directory, "other"));
    await realFiles.replace(path, "new canary");
    expect([readFileSync(path, "utf8"), readFileSync(join(directory, "other"), "utf8")]).toEqual(["new canary", "old canary"]);
  });

  it("replaces a link and leaves what it leads to alone", async () => {
    writeFileSync(join(directory, "elsewhere"), "untouched");
    symlinkSync("elsewhere", path);
    await realFiles.replace(path, "canary");
    expect((await realFiles.stat(path))?.kind).toBe("file");
    expect(readFileSync(join(directory, "elsewhere"), "utf8")).toBe("untouched");
  });

  it("removes its temporary file when it fails", async () => {
    const taken = join(directory, "directory");
    execFileSync("mkdir", ["-p", join(taken, "full")]);
    await expect(realFiles.replace(taken, "canary")).rejects.toMatchObject({ code: "EISDIR" });
    expect(readdirSync(directory)).toEqual(["directory"]);
  });

  it("rejects with Node's error in a directory that is not there", async () => {
    await expect(realFiles.replace(join(directory, "no", "key"), "canary")).rejects.toMatchObject({ code: "ENOENT" });
  });

  describe.runIf(isRoot)("as root (skipped for others: only root may give files away)", () => {
    it("keeps the owner of the file that it replaces, whatever owner is given", async () => {
      writeFileSync(path, "old");
      chownSync(path, 4242, 4343);
      await realFiles.replace(path, "canary", { owner: { uid: 1, gid: 1 } });
      expect(await realFiles.stat(path)).toMatchObject({ uid: 4242, gid: 4343, mode: 0o600 });
    });

    it("gives a new file the owner that is asked for", async () => {
      await realFiles.replace(path, "canary", { owner: { uid: 4242, gid: 4343 } });
      expect(await realFiles.stat(path)).toMatchObject({ uid: 4242, gid: 4343 });
    });

    it("fails where it may not give the file away, and leaves the old one", async () => {
      chmodSync(directory, 0o777);
      writeFileSync(path, "old");
      const script = `process.setgid(65534); process.setuid(65534); const { realFiles } = await import(${JSON.stringify(FILES)});
        await realFiles.replace(${JSON.stringify(path)}, "canary").catch((error) => console.log(error.code));`;
      expect(node(script)).toBe("EPERM\n");
      expect([readFileSync(path, "utf8"), readdirSync(directory)]).toEqual(["old", ["key"]]);
    });
  });

  describe.runIf(hasStrace)("under strace (skipped where that is not installed)", () => {
    it("syncs the file before it is renamed, and the directory after", () => {
      const trace = strace(["-e", "trace=openat,write,fchmod,fsync,rename"], replaceScript("canary"));
      const calls = trace
        .split("\n")
        .filter((line) => line.includes(directory))
        .map((line) => /(openat|write|fchmod|fsync|rename)\((?:AT_FDCWD[^,]*, )?(?:\d+<)?"?([^",>]*)/.exec(line))
        .map((match) => `${match?.[1]} ${match?.[2] === directory ? "directory" : "temporary"}`);
      expect(calls).toEqual([
        "openat temporary",
        "write temporary",
        "fchmod temporary",
        "fsync temporary",
        "rename temporary",
        "openat directory",
        "fsync directory",
      ]);
      expect(trace).toMatch(/O_WRONLY\|O_CREAT\|O_EXCL\|O_NOFOLLOW[^,]*, 0600/);
    });

    it.each([
      { call: "fchmod", when: 1, content: "old", leftovers: 1 },
      { call: "fsync", when: 1, content: "old", leftovers: 1 },
      { call: "rename", when: 1, content: "old", leftovers: 1 },
      { call: "fsync", when: 2, content: "canary", leftovers: 0 },
    ])(
      "leaves the old or the new file when it is killed at $call $when, and a leftover that is known as such",
      ({ call, when, content, leftovers }) => {
        writeFileSync(path, "old");
        strace(["-e", `trace=${call}`, "-e", `inject=${call}:signal=KILL:when=${when}`], replaceScript("canary"), call);
        expect(readFileSync(path, "utf8")).toBe(content);
        const others = readdirSync(directory).filter((name) => name !== "key");
        expect(others.map(nameBehindTemporary)).toEqual(Array.from({ length: leftovers }, () => "key"));
      },
    );
  });

  function replaceScript(content: string): string {
    return `const { realFiles } = await import(${JSON.stringify(FILES)}); await realFiles.replace(${JSON.stringify(path)}, ${JSON.stringify(content)});`;
  }
});

describe("a pipe in the place of a file", () => {
  /** Whoever opens both ends lets go who waits for the other one: a reader that hangs would hold a thread for ever. */
  afterEach(() => closeSync(openSync(path, constants.O_RDWR)));

  it.each([0, 1])("is refused, and nobody waits for who writes into it (%i writers)", { timeout: 2000 }, async (writers) => {
    execFileSync("mkfifo", [path]);
    const ends = Array.from({ length: writers }, () => openSync(path, constants.O_RDWR));
    const error = await realFiles.read(path).catch((reason: unknown) => reason);
    for (const end of ends) closeSync(end);
    expect(fileError(error, "read it")).toMatchObject({ code: "misconfigured", message: "read it: it is no regular file" });
  });
});

describe("read", () => {
  it("gives undefined for no file, and Node's error for anything else", async () => {
    expect(await realFiles.read(path)).toBeUndefined();
    await expect(realFiles.read(directory)).rejects.toMatchObject({ code: "EISDIR" });
  });

  it("refuses what is no text, and keeps a byte order mark", async () => {
    writeFileSync(path, Buffer.from([0x73, 0xff]));
    await expect(realFiles.read(path)).rejects.toMatchObject({ code: "ERR_ENCODING_INVALID_ENCODED_DATA" });
    writeFileSync(path, "\uFEFFx");
    expect(await realFiles.read(path)).toBe("\uFEFFx");
  });
});

describe("remove, list and stat", () => {
  it("remove a file, once and again, also where there is no directory", async () => {
    writeFileSync(path, "x");
    await realFiles.remove(path);
    await realFiles.remove(path);
    await realFiles.remove(join(directory, "no", "key"));
    expect(readdirSync(directory)).toEqual([]);
  });

  it("list names; none where there is no directory", async () => {
    writeFileSync(path, "x");
    expect(await realFiles.list(directory)).toEqual(["key"]);
    expect(await realFiles.list(join(directory, "no"))).toEqual([]);
  });

  it("tell what stands there itself, not what a link leads to", async () => {
    expect(await realFiles.stat(path)).toBeUndefined();
    writeFileSync(path, "x", { mode: 0o640 });
    linkSync(path, `${path}2`);
    symlinkSync(path, `${path}3`);
    expect(await realFiles.stat(path)).toMatchObject({ kind: "file", links: 2, mode: 0o640 });
    expect((await realFiles.stat(`${path}3`))?.kind).toBe("symlink");
    expect((await realFiles.stat(directory))?.kind).toBe("directory");
    expect((await realFiles.stat("/dev/null"))?.kind).toBe("other");
  });
});

function node(script: string): string {
  return execFileSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
}

/** Runs the script under strace and gives the trace; with `killedAt` it must have died there. */
function strace(options: readonly string[], script: string, killedAt?: string): string {
  const log = join(tmpdir(), `rotated-strace-${process.pid}-${Math.random().toString(36).slice(2)}`);
  const env = { ...process.env, UV_THREADPOOL_SIZE: "1" };
  try {
    const run = spawnSync("strace", ["-f", "-qq", "-y", "-o", log, ...options, process.execPath, "--input-type=module", "-e", script], {
      env,
    });
    const died = run.signal === "SIGKILL" || run.status === 137;
    expect(died ? killedAt : undefined, String(run.stderr)).toBe(killedAt);
    return readFileSync(log, "utf8");
  } finally {
    rmSync(log, { force: true });
  }
}
