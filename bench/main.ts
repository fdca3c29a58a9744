/**
 * Measures speed and memory against targets of our own, each figure beside a peer in the same run. It fails only when
 * something cannot run, never because of a figure.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { measureCli } from "./cli.ts";
import { measureEngine } from "./engine.ts";
import { measureIdle } from "./idle.ts";
import { lookAtMachine } from "./machine.ts";
import { measureMemory } from "./memory.ts";
import { asJson, asText, type Measured } from "./report.ts";
import { measureStart } from "./start.ts";

const USAGE = `usage: npm run bench -- [--quick] [--json] [--only PART]... [--directory DIR]

  --quick           fewer repetitions: about a minute
  --json            figures as JSON on stdout
  --only PART       engine, start, cli, memory or idle
  --directory DIR   where ledgers and Postgres are written; must be on a real disk (default: the temporary directory)
`;

const { values: options } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    only: { type: "string", multiple: true, default: [] },
    directory: { type: "string", default: tmpdir() },
    help: { type: "boolean", default: false },
  },
});
const { quick } = options;

mkdirSync(options.directory, { recursive: true });
const directory = mkdtempSync(join(options.directory, "rotated-bench-"));
const parts: Readonly<Record<string, () => Promise<readonly Measured[]>>> = {
  engine: () => measureEngine({ directory, rounds: quick ? 5 : 20, rotations: quick ? 50 : 100 }),
  start: () => measureStart(quick ? 3 : 11),
  cli: () => measureCli(quick ? 5 : 21),
  memory: measureMemory,
  idle: () => measureIdle(quick ? 5 : 20),
};

async function main(): Promise<void> {
  const unknown = options.only.find((name) => !Object.hasOwn(parts, name));
  if (options.help || unknown !== undefined) {
    process.stdout.write(USAGE);
    process.exitCode = options.help ? 0 : 2;
    return;
  }
  const machine = lookAtMachine(directory);
  const figures: Measured[] = [];
  for (const [name, measure] of Object.entries(parts)) {
    if (options.only.length > 0 && !options.only.includes(name)) continue;
    process.stderr.write(`${name} …\n`);
    figures.push(...(await measure()));
  }
  process.stdout.write(`${options.json ? asJson(machine, figures) : asText(machine, figures)}\n`);
}

try {
  await main();
} finally {
  rmSync(directory, { recursive: true, force: true });
}
// The servers behind the stores live as long as this process.
process.exit();
