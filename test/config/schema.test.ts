import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { parseConfig } from "../../src/config/load.ts";
import { importAll } from "../../src/config/registry.ts";
import { jsonSchema } from "../../src/config/schema.ts";
import { REGISTRY } from "../../src/registry.ts";
import { GOOD } from "./good.ts";
import { plugs } from "./plugs.ts";

const root = new URL("../../", import.meta.url);
const real = await importAll(REGISTRY);
const examples = readdirSync(new URL("examples/", root)).filter((file) => file.endsWith(".yaml"));
const check = (schema: object) => z.fromJSONSchema(schema as Parameters<typeof z.fromJSONSchema>[0]);

test.each(examples)("examples/%s is accepted without a warning, by the schema for editors, too", (file) => {
  const text = readFileSync(new URL(`examples/${file}`, root), "utf8");
  expect(parseConfig(text, file, real).warnings).toEqual([]);
  expect(check(jsonSchema(real)).safeParse(parse(text)).error).toBeUndefined();
});

describe("the schema for editors", () => {
  const schema = check(jsonSchema(plugs));

  test("accepts what the program accepts", () => {
    expect(schema.safeParse(parse(GOOD)).error).toBeUndefined();
    expect(schema.safeParse({ credentials: {} }).error).toBeUndefined();
  });

  test.each([
    ["every: 30d", "evry: 30d"],
    ["every: 30d", "every: 30"],
    ["type: file", "type: vault"],
    ["{ credential: acme-admin }", "sk-proj-canary-1"],
    ["path: /keys.json", "path: keys.json"],
    ["    provider: acme\n", ""],
    ["prod:", "Prod:"],
  ])("refuses what the program refuses: %s, written %s", (from, to) => {
    expect(schema.safeParse(parse(GOOD.replace(from, to))).success).toBe(false);
  });

  test("says of every setting what it means", () => {
    const nameless: string[] = [];
    const walk = (at: unknown, path: string) => {
      if (typeof at !== "object" || at === null) return;
      const { properties = {} } = at as { properties?: Record<string, { description?: string }> };
      for (const [name, own] of Object.entries(properties)) if (own.description === undefined) nameless.push(`${path}.${name}`);
      for (const [name, child] of Object.entries(at)) walk(child, `${path}.${name}`);
    };
    walk(jsonSchema(real), "");
    expect(nameless).toEqual([]);
  });
});

test("the generated pages are fresh", { timeout: 120_000 }, async () => {
  const { stderr } = await promisify(execFile)(process.execPath, ["scripts/docs.ts", "--check"], { cwd: root });
  expect(stderr).toBe("");
});
