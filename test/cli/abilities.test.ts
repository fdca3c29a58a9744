import { expect, test } from "vitest";
import { importAll } from "../../src/config/registry.ts";
import { REGISTRY } from "../../src/registry.ts";
import { openBench } from "./run.ts";

const { providers: PROVIDERS, stores: STORES } = await importAll(REGISTRY);

/** The cells of a table as `rotatectl` prints it, by the first of each row. */
function rows(text: string): Readonly<Record<string, readonly string[]>> {
  const [table = ""] = text.split("\n\n");
  const split = table.split("\n").map((line) => line.split(/ {2,}/));
  return Object.fromEntries(split.map(([first = "", ...rest]) => [first, rest]));
}

test("rotatectl providers has a row for each type, and asks no daemon", async () => {
  await using bench = await openBench();
  await bench.stop();
  const ran = await bench.run(["providers"]);
  expect(ran).toMatchObject({ code: 0, stderr: "" });
  const { TYPE: head, ...types } = rows(ran.stdout);
  expect(head).toEqual(["NEW KEYS", "LISTED WITHIN", "SWITCHED OFF", "SECRET RECOVERED", "LAST USE", "EXPIRY", "PLACES"]);
  expect(Object.keys(types)).toEqual(Object.keys(PROVIDERS));
  expect(types["openai"]).toEqual(["created", "2 min", "no", "no", "told within 5 min", "yes", "–"]);
  expect(types["azure-openai"]).toEqual(["two slots", "2 min", "no", "yes", "not told", "no", "–"]);
  expect(types["gemini"]?.[3]).toBe("yes");
  expect(types["aws-bedrock"]?.[6]).toBe("2");
});

test("below it stands what a revoke leaves behind, and where the API is described", async () => {
  await using bench = await openBench();
  const { stdout } = await bench.run(["providers"]);
  for (const { title, apiDocs } of Object.values(PROVIDERS)) expect(stdout).toContain(`: ${title}\n  ${apiDocs}`);
  expect(stdout).toMatch(/^gemini: Google Gemini\n.*\n {2}after a revoke: \S/m);
  expect(stdout).toMatch(/^litellm: .*\n.*\n {2}after a revoke: \S/m);
});

test("rotatectl stores tells a store from a mirror, and what its keep is", async () => {
  await using bench = await openBench();
  await bench.stop();
  const ran = await bench.run(["stores"]);
  expect(ran).toMatchObject({ code: 0, stderr: "" });
  const { TYPE: head, ...types } = rows(ran.stdout);
  expect(head).toEqual(["PRIMARY", "MIRROR", "KEEP"]);
  expect(Object.keys(types)).toEqual(Object.keys(STORES));
  expect(types["file"]).toEqual(["yes", expect.stringMatching(/yes|no/), "hidden files beside it"]);
  expect(types["env-file"]).toEqual(["no", "yes", "–"]);
});

test("every store that can be primary says what its keep is", async () => {
  await using bench = await openBench();
  const { stores } = JSON.parse((await bench.run(["stores", "--json"])).stdout);
  expect(stores.map(({ type }: { type: string }) => type)).toEqual(Object.keys(STORES));
  for (const { type, primary, keep } of stores) expect(keep !== null, type).toBe(primary);
});

test("--json has every ability under its name", async () => {
  await using bench = await openBench();
  const { providers } = JSON.parse((await bench.run(["providers", "--json"])).stdout);
  expect(providers.find(({ type }: { type: string }) => type === "litellm")).toMatchObject({
    title: "LiteLLM proxy",
    supply: "create",
    switchesOff: true,
    recovers: false,
    revokeLagMs: 120_000,
  });
});
