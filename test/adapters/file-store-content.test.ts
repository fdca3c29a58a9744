import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { file } from "../../adapters/stores/file.ts";
import { Secret } from "../../src/contract/secret.ts";
import { canary, type FileStoreBench, fileStoreBench } from "../support/file-store.ts";
import { refusal } from "../support/refusal.ts";

const { signal } = new AbortController();

let bench: FileStoreBench;
beforeEach(() => {
  bench = fileStoreBench();
});
afterEach(() => bench.close());

describe("one value", () => {
  it("is written without a line end and read without one", async () => {
    await bench.put({});
    expect(readFileSync(bench.path, "utf8")).toBe(canary);
    for (const end of ["\n", "\r\n"]) {
      writeFileSync(bench.path, canary + end);
      expect((await bench.store().read("current", signal))?.reveal()).toBe(canary);
    }
    writeFileSync(bench.path, `${canary}\n\n`);
    expect((await bench.store().read("current", signal))?.reveal()).toBe(`${canary}\n`);
  });

  it("may take the place of an empty file, which only names owner and mode", async () => {
    writeFileSync(bench.path, "");
    await bench.put({});
    expect(readFileSync(bench.path, "utf8")).toBe(canary);
  });
});

describe("a field of a JSON file", () => {
  const field = "/models/providers/openai/apiKey";

  it("loses nothing that somebody else writes while it is being written", async () => {
    const text = (other: string) => JSON.stringify({ other, models: { providers: { openai: { apiKey: "canary-old" } } } });
    writeFileSync(bench.path, text("one"));
    await bench.store({ field }).stage("v0", new Secret("canary-old"), signal);
    const { files } = bench.world;
    let writes = 0;
    const replace: typeof files.replace = (path, content, options) => {
      if (path === bench.path && writes++ === 0) writeFileSync(bench.path, text("two"));
      return files.replace(path, content, options);
    };
    bench.world = { ...bench.world, files: { ...files, replace } };
    expect(await refusal(bench.put({ field }, "v0"))).toMatchObject({ code: "inconclusive", retry: true });
    expect(readFileSync(bench.path, "utf8")).toBe(text("two"));
    expect(readdirSync(bench.directory).filter((name) => name.endsWith("-tmp"))).toEqual([]);
    await bench.put({ field }, "v0");
    expect(readFileSync(bench.path, "utf8")).toBe(text("two").replace("canary-old", canary));
  });

  it.each([
    ["compact", '{"models":{"providers":{"openai":{"apiKey":"OLD","x":1}}},"n":1.0e3}'],
    ["odd", '\t{ "n": 1.50,\r\n"models" :{"providers":{ "openai":{"apiKey"\n:"OLD" ,"\\u0061":"\\/"}} }}\n\n'],
    ["next to a twin", '{"apiKey":"OLD","models":{"providers":{"openai":{"apiKey":"OLD"},"azure":{"apiKey":"OLD"}}}}'],
  ])("leaves every other byte as it was (%s)", async (_, template) => {
    const at = template.indexOf('"OLD"', template.indexOf('"openai"')) + 1;
    const withKey = (key: string) => template.slice(0, at) + key + template.slice(at + 3);
    writeFileSync(bench.path, withKey("canary-old"));
    await bench.store({ field }).stage("v0", new Secret("canary-old"), signal);
    await bench.put({ field }, "v0");
    expect(readFileSync(bench.path, "utf8")).toBe(withKey(canary));
  });

  it.each([
    ["no file", undefined],
    ["an empty file", ""],
    ["no parent object", '{ "models": {} , "other": [1] }'],
    ["no field", '{\n  "models": { "providers": { "openai": { "x": "y" } } }\n}\n'],
    ["an empty string", '{"models":{"providers":{"openai":{"apiKey":""}}}}'],
  ])("is made where there is %s", async (_, before) => {
    if (before !== undefined) writeFileSync(bench.path, before);
    await bench.put({ field });
    const after = JSON.parse(readFileSync(bench.path, "utf8"));
    expect(after.models.providers.openai.apiKey).toBe(canary);
    const other = JSON.parse(before || "{}");
    expect(after).toEqual({
      ...other,
      models: { ...other.models, providers: { openai: { ...other.models?.providers?.openai, apiKey: canary } } },
    });
  });

  it("is found through lists, escapes and odd names", async () => {
    writeFileSync(bench.path, '{"a/b":[{"m~n":"x"},{"m~n":"","__proto__":{}}]}');
    await bench.put({ field: "/a~1b/1/m~0n" });
    await bench.put({ field: "/a~1b/1/__proto__/toString" });
    expect(readFileSync(bench.path, "utf8")).toBe(`{"a/b":[{"m~n":"x"},{"m~n":"${canary}","__proto__":{"toString": "${canary}"}}]}`);
  });

  it("comes back unchanged, whatever characters it has", async () => {
    const odd = 'sk-canary-"\\/\u2028é😀\t';
    await bench.store({ field }).stage("v1", new Secret(odd), signal);
    await bench.store({ field }).promote("v1", undefined, signal);
    expect((await bench.store({ field }).read("current", signal))?.reveal()).toBe(odd);
  });

  it.each([
    ["a number", '{"a":{"b":7}}', "the field /a/b holds no string but a number"],
    ["an object", '{"a":{"b":{"canary":1}}}', "the field /a/b holds no string but an object"],
    ["null", '{"a":{"b":null}}', "the field /a/b holds no string but null"],
    ["a string where the parent should be", '{"a":"canary"}', "at /a there is no object but a string"],
    ["a list at the top", "[]", "a"],
  ])("refuses %s", async (_, before, message) => {
    writeFileSync(bench.path, before);
    await bench.store({ field: "/a/b" }).stage("v1", new Secret(canary), signal);
    const error = await refusal(bench.store({ field: "/a/b" }).promote("v1", undefined, signal));
    expect(error.message).toContain(message);
    expect(error.code).toBe(before === "[]" ? "misconfigured" : "foreign");
    expect(readFileSync(bench.path, "utf8")).toBe(before);
  });

  it.each([
    ["a comment", '{\n  // canary\n  "a": "canary" }', "InvalidCommentToken at line 2, column 3"],
    ["a trailing comma", '{"a":"canary",}', "line 1, column 15"],
    ["a torn end", '{"a":"canary', "line 1, column 6"],
    ["two values", '{"a":"canary"} {}', "line 1, column 16"],
    ["a byte order mark", '\uFEFF{"a":"canary"}', "not JSON"],
    ["a field that is there twice", '{"a":"canary","a":"canary2"}', 'the object at / has the field "a" twice'],
  ])("refuses %s, and says where", async (_, before, message) => {
    writeFileSync(bench.path, before);
    const error = await refusal(bench.store({ field: "/a" }).read("current", signal));
    expect(error).toMatchObject({ code: "misconfigured", message: expect.stringContaining(message) });
  });

  it("is not read from bytes that are no text", async () => {
    writeFileSync(bench.path, Buffer.from('{"a":"\xff"}', "latin1"));
    expect(await refusal(bench.store({ field: "/a" }).read("current", signal))).toMatchObject({ code: "misconfigured" });
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
