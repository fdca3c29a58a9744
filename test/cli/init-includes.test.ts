import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readOpenClaw } from "../../src/init/read.ts";
import { openBench } from "./run.ts";

describe("includes", () => {
  async function included(bench: { directory: string }, files: Readonly<Record<string, unknown>>, env = {}) {
    const config = join(bench.directory, "config");
    await mkdir(config);
    for (const [name, content] of Object.entries(files)) await writeFile(join(config, name), JSON.stringify(content));
    return readOpenClaw(join(config, "openclaw.json"), env);
  }
  const why = ({ refusals }: { readonly refusals: readonly { readonly why: string }[] }) => refusals.map((refusal) => refusal.why);

  test("are merged as OpenClaw merges: later over earlier, beside over included, lists joined", async () => {
    await using bench = await openBench();
    const reading = await included(bench, {
      "openclaw.json": { a: { $include: ["one.json", "two.json"], own: 1, deep: { z: 3 } } },
      "one.json": { own: 2, list: [1], deep: { x: 1, y: 1 } },
      "two.json": { list: [2], deep: { y: 2 } },
    });
    expect(reading).toMatchObject({ config: { a: { own: 1, list: [1, 2], deep: { x: 1, y: 2, z: 3 } } }, refusals: [] });
    expect(reading.included).toHaveLength(2);
  });

  test("go ten files deep, and no deeper", async () => {
    await using bench = await openBench();
    const chain = Array.from({ length: 11 }, (_, index) => [`${index + 1}.json`, { next: { $include: `${index + 2}.json` } }] as const);
    const reading = await included(bench, { "openclaw.json": { next: { $include: "1.json" } }, ...Object.fromEntries(chain) });
    expect(reading.included).toHaveLength(10);
    expect(why(reading)).toEqual(["it is more than 10 files deep"]);
  });

  test("stay inside of the directory, links too, unless OPENCLAW_INCLUDE_ROOTS allows it", async () => {
    await using bench = await openBench();
    const outside = join(bench.directory, "outside.json");
    await writeFile(outside, `{ b: 1 }`);
    await mkdir(join(bench.directory, "config"));
    await symlink(outside, join(bench.directory, "config", "link.json"));
    await writeFile(join(bench.directory, "config", "openclaw.json"), `{ $include: ["../outside.json", "link.json"] }`);
    const path = join(bench.directory, "config", "openclaw.json");
    expect(why(await readOpenClaw(path, {}))).toEqual([
      "it lies outside of the directory of openclaw.json",
      "it is a link to outside of the directory of openclaw.json",
    ]);
    const allowed = await readOpenClaw(path, { OPENCLAW_INCLUDE_ROOTS: `relative:${bench.directory}` });
    expect(allowed).toMatchObject({ config: { b: 1 }, refusals: [] });
  });
});
