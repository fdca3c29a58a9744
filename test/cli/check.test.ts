import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openBench } from "./run.ts";

const GOOD = `
providers:
  openai: { type: openai, project: proj_123, adminKey: { credential: openai-admin } }
stores:
  local: { type: file }
consumers:
  reload: { type: command, reload: [/bin/true], validate: [/bin/true] }
credentials:
  prod-openai:
    provider: openai
    store: { use: local, path: /var/lib/rotated/secrets/openai.json, field: /openai/apiKey }
    consumers: [{ use: reload }]
    every: 30d
`;

test("a file without a problem is one line, and no daemon is asked", async () => {
  await using bench = await openBench();
  const file = join(bench.directory, "good.yaml");
  await writeFile(file, GOOD);
  const ran = await bench.run(["check", file]);
  expect(ran).toMatchObject({ code: 0, stdout: `✔ ${file}: 1 credential, no problems` });
  expect(bench.control.calls).toHaveLength(0);
});

test("every problem is told with its place and a hint, and as JSON", async () => {
  await using bench = await openBench();
  const file = join(bench.directory, "bad.yaml");
  await writeFile(file, GOOD.replace("every: 30d", "evry: 30d").replace("provider: openai\n", "provider: opnai\n"));
  const ran = await bench.run(["check", file]);
  expect(ran.code).toBe(1);
  expect(ran.stdout).toContain(`✖ ${file}:10:`);
  expect(ran.stdout).toContain(`✖ ${file}:13:`);
  expect(ran.stdout.match(/^ {2}hint: .*did you mean/gm)).toHaveLength(2);
  const json = await bench.run(["check", file, "--json"]);
  expect(json.code).toBe(1);
  expect(JSON.parse(json.stdout).problems).toMatchObject([{ line: 10 }, { line: 13 }]);
});

test("--online adds what the daemon found out", async () => {
  await using bench = await openBench();
  const file = join(bench.directory, "good.yaml");
  await writeFile(file, GOOD);
  const ran = await bench.run(["check", file, "--online"]);
  expect(ran.code).toBe(1);
  expect(ran.stdout.split("\n").slice(1)).toEqual([
    "✔ provider openai",
    "✖ gateway: OPENAI_API_KEY shadows the credential",
    "  hint: remove it from the unit",
  ]);
});

test("--online beside a file tells what is wrong with the file, also when no daemon answers", async () => {
  await using bench = await openBench();
  await bench.stop();
  const ran = await bench.run(["check", "/nowhere/rotated.yaml", "--online"]);
  expect(ran.code).toBe(1);
  expect(ran.stdout).toMatch(/^✖ \/nowhere\/rotated.yaml: no such file\n {2}hint: /);
  expect(ran.stderr).toContain("rotatectl: error: no daemon answers on ");
  const json = await bench.run(["check", "/nowhere/rotated.yaml", "--online", "--json"]);
  expect(json.code).toBe(ran.code);
  expect(JSON.parse(json.stdout).problems).toMatchObject([{ message: "no such file" }]);
});

test("--online without a file asks the daemon only", async () => {
  await using bench = await openBench();
  const ran = await bench.run(["check", "--online", "--json"]);
  expect(ran.code).toBe(1);
  expect(JSON.parse(ran.stdout)).toMatchObject({
    problems: [],
    warnings: [],
    checked: [{ findings: [] }, { findings: [{ code: "shadowed" }] }],
  });
});

test("a file that is not there is a problem like any other", async () => {
  await using bench = await openBench();
  const ran = await bench.run(["check", "/nowhere/rotated.yaml"]);
  expect(ran).toMatchObject({ code: 1, stderr: "" });
  expect(ran.stdout).toMatch(/^✖ \/nowhere\/rotated.yaml: no such file\n {2}hint: /);
});
