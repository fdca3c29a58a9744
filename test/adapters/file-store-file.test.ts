import { execFileSync } from "node:child_process";
import { chownSync, linkSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Secret } from "../../src/contract/secret.ts";
import { canary, type FileStoreBench, fileStoreBench } from "../support/file-store.ts";
import { refusal } from "../support/refusal.ts";

const { signal } = new AbortController();
const isRoot = process.getuid?.() === 0;

let bench: FileStoreBench;
beforeEach(() => {
  bench = fileStoreBench();
});
afterEach(() => bench.close());

describe("the file", () => {
  it("has mode 0600 or the one that is set, and so has the keep", async () => {
    await bench.put({});
    const modes = () => readdirSync(bench.directory).map((name) => statSync(join(bench.directory, name)).mode & 0o7777);
    expect(modes()).toEqual([0o600, 0o600]);
    await bench.store().stage("v2", new Secret(`${canary}2`), signal);
    await bench.store({ mode: "0400" }).promote("v2", "v1", signal);
    expect(statSync(bench.path).mode & 0o7777).toBe(0o400);
  });

  it.each([
    ["a symbolic link", () => symlinkSync("elsewhere", bench.path)],
    ["a file with 2 hard links", () => [writeFileSync(bench.path, ""), linkSync(bench.path, `${bench.path}.backup`)]],
    ["no file but a directory", () => mkdirSync(bench.path)],
  ])("is refused when it is %s, by every method that touches it", async (what, make) => {
    make();
    const before = readdirSync(bench.directory);
    await bench.store().stage("v1", new Secret(canary), signal);
    const methods = [
      () => bench.store().read("current", signal),
      () => bench.store().preflight(signal),
      () => bench.store().promote("v1", undefined, signal),
    ];
    for (const method of methods) {
      const error = await refusal(method());
      expect(error).toMatchObject({ code: "misconfigured", message: `file store: ${bench.path} is ${what}` });
      expect(error.cure).toBeTruthy();
    }
    await bench.store().discard("v1", signal);
    expect(readdirSync(bench.directory)).toEqual(before);
  });

  it("needs its directory, and says how to make it", async () => {
    const away = bench.store({ path: join(bench.directory, "no", "key"), owner: "1000:1001" });
    expect(await refusal(away.preflight(signal))).toMatchObject({
      code: "misconfigured",
      cure: `make it: install -d -m 700 -o 1000 -g 1001 ${bench.directory}/no`,
    });
    expect(await refusal(away.stage("v1", new Secret(canary), signal))).toMatchObject({ code: "misconfigured" });
  });

  it("refuses an account that is not there", async () => {
    expect(await refusal(bench.store({ owner: "nobody-of-this-name" }).preflight(signal))).toMatchObject({ code: "misconfigured" });
  });

  describe.runIf(isRoot)("as root (skipped for others: only root may give files away)", () => {
    it("gets the owner that is set, by name or number, and the keep stays ours", async () => {
      const { uid, gid } = { uid: Number(execFileSync("id", ["-u", "nobody"])), gid: Number(execFileSync("id", ["-g", "nobody"])) };
      await bench.put({ owner: "nobody" });
      expect(statSync(bench.path)).toMatchObject({ uid, gid });
      expect(readdirSync(bench.directory).map((name) => statSync(join(bench.directory, name)).uid)).toEqual([0, uid]);
      await bench.store({ owner: `${uid}:${gid}` }).preflight(signal);
    });

    it("keeps the owner that it has; another one in the settings is refused", async () => {
      writeFileSync(bench.path, "");
      chownSync(bench.path, 4242, 4343);
      await bench.put({});
      expect(statSync(bench.path)).toMatchObject({ uid: 4242, gid: 4343 });
      expect(await refusal(bench.store({ owner: "1:1" }).preflight(signal))).toMatchObject({
        code: "misconfigured",
        cure: expect.stringContaining("chown 1:1"),
      });
    });
  });
});

describe("what a crash left of this file and its keep", () => {
  const leftovers = ["secrets.json.0a1b2c.rotated-tmp", ".secrets.json.rotated.0123456789ab.v1.ff.rotated-tmp"];
  const others = ["other.json.0a1b2c.rotated-tmp", "secrets.json.rotated-tmp", "secrets.json.tmp", "my-secrets.json.0a.rotated-tmp"];

  it.each([
    ["preflight", () => bench.store().preflight(signal)],
    ["stage", () => bench.store().stage("v1", new Secret(canary), signal)],
    ["promote", () => bench.store().promote("v1", undefined, signal)],
    ["discard", () => bench.store().discard("v2", signal)],
  ])("is removed by %s, and nothing else is", async (_, method) => {
    await bench.put({});
    for (const name of [...leftovers, ...others]) writeFileSync(join(bench.directory, name), "canary");
    const expected = readdirSync(bench.directory).filter((name) => !leftovers.includes(name));
    await method();
    expect(readdirSync(bench.directory)).toEqual(expected);
  });

  it("of a preflight is removed by the next", async () => {
    writeFileSync(join(bench.directory, ".secrets.json.rotated.probe"), "");
    await bench.store().preflight(signal);
    expect(readdirSync(bench.directory)).toEqual([]);
  });
});

describe("preflight", () => {
  it.each([
    ["ENOSPC", "full"],
    ["EROFS", "readOnly"],
    ["EPERM", "denied"],
    ["EIO", "unavailable"],
  ])("throws what a write would meet: %s", async (errno, code) => {
    const replace = () => Promise.reject(Object.assign(new Error("no"), { code: errno }));
    bench.world = { ...bench.world, files: { ...bench.world.files, replace } };
    expect(await refusal(bench.store().preflight(signal))).toMatchObject({ code });
    expect(readdirSync(bench.directory)).toEqual([]);
  });

  it("leaves an error of our own code as it is", async () => {
    const bug = new TypeError("a bug");
    bench.world = { ...bench.world, files: { ...bench.world.files, replace: () => Promise.reject(bug) } };
    await expect(bench.store().preflight(signal)).rejects.toBe(bug);
  });
});

describe("a file system that hangs", () => {
  it("does not hold up an abort, and the next write waits for the one that hangs", async () => {
    const gate = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    const { files } = bench.world;
    const replace: typeof files.replace = async (...args) => {
      begun.resolve();
      await gate.promise;
      return files.replace(...args);
    };
    bench.world = { ...bench.world, files: { ...files, replace } };
    const controller = new AbortController();
    const hanging = bench.store().stage("v1", new Secret(canary), controller.signal);
    const next = bench.store().stage("v2", new Secret(`${canary}2`), signal);
    const reason = new Error("enough");
    await begun.promise;
    controller.abort(reason);
    await expect(hanging).rejects.toBe(reason);
    gate.resolve();
    await next;
    expect((await bench.store().read({ version: "v1" }, signal))?.reveal()).toBe(canary);
  });
});
