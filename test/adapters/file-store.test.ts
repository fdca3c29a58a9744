import { execFileSync } from "node:child_process";
import {
  chownSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
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
import { file } from "../../adapters/stores/file.ts";
import { AdapterError } from "../../src/contract/errors.ts";
import { Secret } from "../../src/contract/secret.ts";
import type { World } from "../../src/contract/world.ts";
import { realWorld } from "../support/real-world.ts";

const { signal } = new AbortController();
const canary = "sk-canary-file-store";
const isRoot = process.getuid?.() === 0;

let directory: string;
let path: string;
let world: World;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "rotated-file-store-"));
  path = join(directory, "secrets.json");
  world = realWorld(directory);
});
afterEach(() => rmSync(directory, { recursive: true }));

const store = (place: Record<string, unknown> = {}) =>
  file.connect({}, file.place.parse({ path, ...place }), { credential: "prod" }, world);

async function put(place: Record<string, unknown>, over?: string): Promise<void> {
  await store(place).stage("v1", new Secret(canary), signal);
  await store(place).promote("v1", over, signal);
}

async function refusal(work: Promise<unknown>): Promise<AdapterError> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof AdapterError)) throw new Error(`no AdapterError but ${String(error)}`);
  expect(`${error.message} ${error.hint}`).not.toContain("canary");
  return error;
}

describe("one value", () => {
  it("is written without a line end and read without one", async () => {
    await put({});
    expect(readFileSync(path, "utf8")).toBe(canary);
    for (const end of ["\n", "\r\n"]) {
      writeFileSync(path, canary + end);
      expect((await store().read("current", signal))?.reveal()).toBe(canary);
    }
    writeFileSync(path, `${canary}\n\n`);
    expect((await store().read("current", signal))?.reveal()).toBe(`${canary}\n`);
  });

  it("may take the place of an empty file, which only names owner and mode", async () => {
    writeFileSync(path, "");
    await put({});
    expect(readFileSync(path, "utf8")).toBe(canary);
  });
});

describe("a field of a JSON file", () => {
  const field = "/models/providers/openai/apiKey";

  it.each([
    ["compact", '{"models":{"providers":{"openai":{"apiKey":"OLD","x":1}}},"n":1.0e3}'],
    ["odd", '\t{ "n": 1.50,\r\n"models" :{"providers":{ "openai":{"apiKey"\n:"OLD" ,"\\u0061":"\\/"}} }}\n\n'],
    ["next to a twin", '{"apiKey":"OLD","models":{"providers":{"openai":{"apiKey":"OLD"},"azure":{"apiKey":"OLD"}}}}'],
  ])("leaves every other byte as it was (%s)", async (_, template) => {
    const at = template.indexOf('"OLD"', template.indexOf('"openai"')) + 1;
    const withKey = (key: string) => template.slice(0, at) + key + template.slice(at + 3);
    writeFileSync(path, withKey("canary-old"));
    await store({ field }).stage("v0", new Secret("canary-old"), signal);
    await put({ field }, "v0");
    expect(readFileSync(path, "utf8")).toBe(withKey(canary));
  });

  it.each([
    ["no file", undefined],
    ["an empty file", ""],
    ["no parent object", '{ "models": {} , "other": [1] }'],
    ["no field", '{\n  "models": { "providers": { "openai": { "x": "y" } } }\n}\n'],
    ["an empty string", '{"models":{"providers":{"openai":{"apiKey":""}}}}'],
  ])("is made where there is %s", async (_, before) => {
    if (before !== undefined) writeFileSync(path, before);
    await put({ field });
    const after = JSON.parse(readFileSync(path, "utf8"));
    expect(after.models.providers.openai.apiKey).toBe(canary);
    const other = JSON.parse(before || "{}");
    expect(after).toEqual({
      ...other,
      models: { ...other.models, providers: { openai: { ...other.models?.providers?.openai, apiKey: canary } } },
    });
  });

  it("is found through lists, escapes and odd names", async () => {
    writeFileSync(path, '{"a/b":[{"m~n":"x"},{"m~n":"","__proto__":{}}]}');
    await put({ field: "/a~1b/1/m~0n" });
    await put({ field: "/a~1b/1/__proto__/toString" });
    expect(readFileSync(path, "utf8")).toBe(`{"a/b":[{"m~n":"x"},{"m~n":"${canary}","__proto__":{"toString": "${canary}"}}]}`);
  });

  it("comes back unchanged, whatever characters it has", async () => {
    const odd = 'sk-canary-"\\/\u2028é😀\t';
    await store({ field }).stage("v1", new Secret(odd), signal);
    await store({ field }).promote("v1", undefined, signal);
    expect((await store({ field }).read("current", signal))?.reveal()).toBe(odd);
  });

  it.each([
    ["a number", '{"a":{"b":7}}', "the field /a/b holds no string but a number"],
    ["an object", '{"a":{"b":{"canary":1}}}', "the field /a/b holds no string but an object"],
    ["null", '{"a":{"b":null}}', "the field /a/b holds no string but null"],
    ["a string where the parent should be", '{"a":"canary"}', "at /a there is no object but a string"],
    ["a list at the top", "[]", "a"],
  ])("refuses %s", async (_, before, message) => {
    writeFileSync(path, before);
    await store({ field: "/a/b" }).stage("v1", new Secret(canary), signal);
    const error = await refusal(store({ field: "/a/b" }).promote("v1", undefined, signal));
    expect(error.message).toContain(message);
    expect(error.code).toBe(before === "[]" ? "misconfigured" : "foreign");
    expect(readFileSync(path, "utf8")).toBe(before);
  });

  it.each([
    ["a comment", '{\n  // canary\n  "a": "canary" }', "InvalidCommentToken at line 2, column 3"],
    ["a trailing comma", '{"a":"canary",}', "line 1, column 15"],
    ["a torn end", '{"a":"canary', "line 1, column 6"],
    ["two values", '{"a":"canary"} {}', "line 1, column 16"],
    ["a byte order mark", '\uFEFF{"a":"canary"}', "not JSON"],
    ["a field that is there twice", '{"a":"canary","a":"canary2"}', 'the object at / has the field "a" twice'],
  ])("refuses %s, and says where", async (_, before, message) => {
    writeFileSync(path, before);
    const error = await refusal(store({ field: "/a" }).read("current", signal));
    expect(error).toMatchObject({ code: "misconfigured", message: expect.stringContaining(message) });
  });

  it("is not read from bytes that are no text", async () => {
    writeFileSync(path, Buffer.from('{"a":"\xff"}', "latin1"));
    expect(await refusal(store({ field: "/a" }).read("current", signal))).toMatchObject({ code: "misconfigured" });
  });
});

describe("the file", () => {
  it("has mode 0600 or the one that is set, and so has the keep", async () => {
    await put({});
    const modes = () => readdirSync(directory).map((name) => statSync(join(directory, name)).mode & 0o7777);
    expect(modes()).toEqual([0o600, 0o600]);
    await store().stage("v2", new Secret(`${canary}2`), signal);
    await store({ mode: "0400" }).promote("v2", "v1", signal);
    expect(statSync(path).mode & 0o7777).toBe(0o400);
  });

  it.each([
    ["a symbolic link", () => symlinkSync("elsewhere", path)],
    ["a file with 2 hard links", () => [writeFileSync(path, ""), linkSync(path, `${path}.backup`)]],
    ["no file but a directory", () => mkdirSync(path)],
  ])("is refused when it is %s, by every method that touches it", async (what, make) => {
    make();
    const before = readdirSync(directory);
    await store().stage("v1", new Secret(canary), signal);
    const methods = [
      () => store().read("current", signal),
      () => store().preflight(signal),
      () => store().promote("v1", undefined, signal),
    ];
    for (const method of methods) {
      const error = await refusal(method());
      expect(error).toMatchObject({ code: "misconfigured", message: `file store: ${path} is ${what}` });
      expect(error.cure).toBeTruthy();
    }
    await store().discard("v1", signal);
    expect(readdirSync(directory)).toEqual(before);
  });

  it("needs its directory, and says how to make it", async () => {
    const away = store({ path: join(directory, "no", "key"), owner: "1000:1001" });
    expect(await refusal(away.preflight(signal))).toMatchObject({
      code: "misconfigured",
      cure: `make it: install -d -m 700 -o 1000 -g 1001 ${directory}/no`,
    });
    expect(await refusal(away.stage("v1", new Secret(canary), signal))).toMatchObject({ code: "misconfigured" });
  });

  it("refuses an account that is not there", async () => {
    expect(await refusal(store({ owner: "nobody-of-this-name" }).preflight(signal))).toMatchObject({ code: "misconfigured" });
  });

  describe.runIf(isRoot)("as root (skipped for others: only root may give files away)", () => {
    it("gets the owner that is set, by name or number, and the keep stays ours", async () => {
      const { uid, gid } = { uid: Number(execFileSync("id", ["-u", "nobody"])), gid: Number(execFileSync("id", ["-g", "nobody"])) };
      await put({ owner: "nobody" });
      expect(statSync(path)).toMatchObject({ uid, gid });
      expect(readdirSync(directory).map((name) => statSync(join(directory, name)).uid)).toEqual([0, uid]);
      await store({ owner: `${uid}:${gid}` }).preflight(signal);
    });

    it("keeps the owner that it has; another one in the settings is refused", async () => {
      writeFileSync(path, "");
      chownSync(path, 4242, 4343);
      await put({});
      expect(statSync(path)).toMatchObject({ uid: 4242, gid: 4343 });
      expect(await refusal(store({ owner: "1:1" }).preflight(signal))).toMatchObject({
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
    ["preflight", () => store().preflight(signal)],
    ["stage", () => store().stage("v1", new Secret(canary), signal)],
    ["promote", () => store().promote("v1", undefined, signal)],
    ["discard", () => store().discard("v2", signal)],
  ])("is removed by %s, and nothing else is", async (_, method) => {
    await put({});
    for (const name of [...leftovers, ...others]) writeFileSync(join(directory, name), "canary");
    const expected = readdirSync(directory).filter((name) => !leftovers.includes(name));
    await method();
    expect(readdirSync(directory)).toEqual(expected);
  });

  it("of a preflight is removed by the next", async () => {
    writeFileSync(join(directory, ".secrets.json.rotated.probe"), "");
    await store().preflight(signal);
    expect(readdirSync(directory)).toEqual([]);
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
    world = { ...world, files: { ...world.files, replace } };
    expect(await refusal(store().preflight(signal))).toMatchObject({ code });
    expect(readdirSync(directory)).toEqual([]);
  });

  it("leaves an error of our own code as it is", async () => {
    const bug = new TypeError("a bug");
    world = { ...world, files: { ...world.files, replace: () => Promise.reject(bug) } };
    await expect(store().preflight(signal)).rejects.toBe(bug);
  });
});

describe("a file system that hangs", () => {
  it("does not hold up an abort, and the next write waits for the one that hangs", async () => {
    const gate = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    const { files } = world;
    const replace: typeof files.replace = async (...args) => {
      begun.resolve();
      await gate.promise;
      return files.replace(...args);
    };
    world = { ...world, files: { ...files, replace } };
    const controller = new AbortController();
    const hanging = store().stage("v1", new Secret(canary), controller.signal);
    const next = store().stage("v2", new Secret(`${canary}2`), signal);
    const reason = new Error("enough");
    await begun.promise;
    controller.abort(reason);
    await expect(hanging).rejects.toBe(reason);
    gate.resolve();
    await next;
    expect((await store().read({ version: "v1" }, signal))?.reveal()).toBe(canary);
  });
});

describe("settings", () => {
  it.each([
    { path: "relative" },
    { path: "/directory/" },
    { path: "/x", field: "" },
    { path: "/x", field: "no/slash" },
    { path: "/x", field: "/bad~2escape" },
    { path: "/x", mode: "0644" },
    { path: "/x", mode: 0o600 },
    { path: "/x", owner: "1000" },
    { path: "/x", owner: "-o" },
    { path: "/x", unknown: true },
  ])("refuse %j", (place) => {
    expect(file.place.safeParse(place).success).toBe(false);
  });

  it("take a mode as YAML reads it, with and without quotes", () => {
    expect(["0600", 600, "0400", 400, undefined].map((mode) => file.place.parse({ path: "/x", mode }).mode)).toEqual([
      0o600, 0o600, 0o400, 0o400, 0o600,
    ]);
  });

  it("tell equal cells, however they are written", () => {
    const cell = (place: Record<string, unknown>) => file.cell({}, file.place.parse(place));
    expect(cell({ path: "/a//b/../c", field: "/x" })).toBe(cell({ path: "/a/c", field: "/x" }));
    expect(cell({ path: "/a", field: "/x~1y" })).not.toBe(cell({ path: "/a", field: "/x/y" }));
    expect(cell({ path: "/a" })).not.toBe(cell({ path: "/a", field: "/x" }));
  });
});
