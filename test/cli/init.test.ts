import { readdirSync } from "node:fs";
import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { CONSUMERS } from "../../adapters/consumers/index.ts";
import { STORES } from "../../adapters/stores/index.ts";
import { PROVIDERS } from "../../providers/index.ts";
import { ConfigError } from "../../src/config/error.ts";
import { parseConfig } from "../../src/config/load.ts";
import type { Plugs } from "../../src/config/schema.ts";
import { blanksOf } from "../../src/init/proposal.ts";
import { propose } from "../../src/init/propose.ts";
import { readOpenClaw } from "../../src/init/read.ts";
import { writeProposal } from "../../src/init/write.ts";
import { openBench } from "./run.ts";

const FOLDER = fileURLToPath(new URL("./init/", import.meta.url));
const PLUGS: Plugs = { providers: PROVIDERS, stores: STORES, consumers: CONSUMERS };
const HOME = "/home/alice";
const FIXTURES = readdirSync(FOLDER).filter((name) => name.endsWith(".json5"));

async function proposalOf(path: string, plugs = PLUGS) {
  const reading = await readOpenClaw(path, {});
  return propose({ ...reading, path: `${HOME}/.openclaw/openclaw.json` }, { plugs, home: HOME, account: "alice" });
}

/** What `rotatectl check` says of a file: the settings, in its order. */
function problemsOf(text: string, plugs = PLUGS): readonly string[] {
  try {
    return parseConfig(text, "rotated.yaml", plugs).warnings;
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(({ path, message }) => `${path}: ${message}`);
    throw error;
  }
}

/** Each setting without a value, in one line, whatever its schema says of it. */
const onlyPaths = (problems: readonly string[]) => problems.map((problem) => problem.replace(/: .*/, ""));

describe.each(FIXTURES.filter((name) => name !== "nothing.json5"))("%s", (name) => {
  test("is proposed as the file beside it says", async () => {
    const text = writeProposal(await proposalOf(join(FOLDER, name)));
    await expect(text).toMatchFileSnapshot(join(FOLDER, name.replace(/json5$/, "yaml")));
    expect(text).not.toContain("canary");
  });

  test("rotatectl check reports what is left to fill in, and nothing else", async () => {
    const proposal = await proposalOf(join(FOLDER, name));
    expect(onlyPaths(problemsOf(writeProposal(proposal)))).toEqual(blanksOf(proposal));
  });
});
