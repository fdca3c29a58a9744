import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Command } from "commander";
import { describe, expect, test } from "vitest";
import type { Cli } from "../src/cli/cli.ts";
import { COMMANDS } from "../src/cli/commands/index.ts";
import { parseConfig } from "../src/config/load.ts";
import { importAll } from "../src/config/registry.ts";
import { ADAPTER_CODES } from "../src/contract/errors.ts";
import { REGISTRY } from "../src/registry.ts";
import { ROOT } from "./support/host.ts";

const PLUGS = await importAll(REGISTRY);

const read = (path: string) => readFileSync(join(ROOT, path), "utf8");
const README = read("README.md");
const folder = (path: string) => readdirSync(join(ROOT, path)).map((name) => `${path}/${name}`);
const PAGES = [...folder("."), ...folder("docs"), ...folder("docs/decisions")].filter((path) => path.endsWith(".md"));

function blocks(text: string, language: string): string[] {
  return [...text.matchAll(new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, "gs"))].map(([, block = ""]) => block);
}

describe("README.md", () => {
  test("its configuration is valid, and warns of nothing", () => {
    const configs = blocks(README, "yaml").map((text) => parseConfig(text, "README.md", PLUGS));
    expect(configs.map(({ warnings, credentials }) => [warnings, Object.keys(credentials)])).toEqual([[[], ["prod-openai"]]]);
  });

  test("its openclaw.json refers to the credential, by the program that its commands write", () => {
    const [config] = blocks(README, "yaml").map((text) => parseConfig(text, "README.md", PLUGS));
    const [openclaw] = blocks(README, "json").map((text) => JSON.parse(text));
    const { apiKey, auth } = openclaw.models.providers.openai;
    expect(Object.keys(config?.credentials ?? {})).toContain(apiKey.id);
    const { source, command } = openclaw.secrets.providers[apiKey.provider];
    expect(source).toBe("exec");
    expect(README).toContain(`rotatectl resolve --install ${command}`);
    expect(auth).toBe("api-key");
  });

  const inText = [...README.matchAll(/`(rotatectl [^`]+)`/g)].map(([, command = ""]) => command);
  const inBlocks = blocks(README, "sh").flatMap((block) => block.split("\n").filter((line) => line.startsWith("rotatectl ")));

  test.each([...new Set([...inText, ...inBlocks])])("%s", async (line) => {
    const [, name = "", ...args] = line.replace("SHELL", "bash").replace(/[[\]]/g, "").split(" ");
    await expect(parse(name, args)).resolves.toBe(name);
  });

  test("knows a wrong command when it sees one", async () => {
    await expect(parse("rotate", ["prod-openai", "--fast"])).rejects.toThrow("unknown option '--fast'");
    await expect(parse("status", ["prod-openai"])).rejects.toThrow("too many arguments");
  });

  test("its table has every command, with options that the command has", async () => {
    const rows = [...README.matchAll(/^\| `rotatectl ([a-z]+)[^|]*\|(.*)\|$/gm)].map(([, name = "", does = ""]) => ({ name, does }));
    const visible = Object.entries(COMMANDS).filter(([, { hidden }]) => hidden !== true);
    expect(rows.map(({ name }) => name).toSorted()).toEqual(visible.map(([name]) => name).toSorted());
    for (const { name, does } of rows) {
      const known = (await defined(name)).options.map(({ long }) => long);
      for (const [option] of does.matchAll(/--[a-z-]+/g)) expect(known, name).toContain(option);
    }
  });
});

describe("links", () => {
  test.each(PAGES)("%s: every file that it links to is there", (page) => {
    const links = [...read(page).matchAll(/\]\(([^)#\s]+)[^)]*\)/g)].map(([, target = ""]) => target);
    const missing = links.filter((target) => !/^https?:/.test(target) && !existsSync(join(ROOT, dirname(page), target)));
    expect(missing).toEqual([]);
  });

  test("docs/decisions/README.md lists every page", () => {
    const index = read("docs/decisions/README.md");
    for (const page of folder("docs/decisions").filter((path) => !path.endsWith("README.md"))) {
      expect(index).toContain(`(${page.split("/").at(-1)})`);
    }
  });
});

test("ARCHITECTURE.md is one page, and names only files that are there", () => {
  const text = read("ARCHITECTURE.md");
  expect(text.split("\n").length).toBeLessThanOrEqual(120);
  const places = ["", "src", "adapters/stores", "adapters/consumers", "providers"];
  const named = [...text.matchAll(/[\w-]+(?:\/[\w-]+)*\.(?:ts|json)/g)].map(([path]) => path);
  expect(named.length).toBeGreaterThan(20);
  expect(named.filter((path) => !places.some((place) => existsSync(join(ROOT, place, path))))).toEqual([]);
});

test("docs/runbook.md has every reason for which a rotation waits or is stuck", () => {
  const sources = ["src/rotation", "src/rotation/steps", "src/rotation/supply"]
    .flatMap(folder)
    .filter((path) => path.endsWith(".ts"))
    .map(read);
  const ofSteps = sources.flatMap((text) => [...text.matchAll(/code: "(\w+)",\s*text\b/g)].map(([, code = ""]) => code));
  expect(ofSteps).toEqual(expect.arrayContaining(["gate", "notDead", "noIntentLeft", "sharedKey"]));
  const told = new Set([...read("docs/runbook.md").matchAll(/`(\w+)`/g)].map(([, word = ""]) => word));
  // What an operator asked for needs no cure.
  const codes = new Set([...Object.keys(ADAPTER_CODES), ...ofSteps].filter((code) => code !== "cancelled"));
  expect([...codes].filter((code) => !told.has(code))).toEqual([]);
});

/** A command as the command line defines it. */
async function defined(name: string): Promise<Command> {
  const command = new Command(name).exitOverride().configureOutput({ writeErr: () => {}, writeOut: () => {} });
  const entry = COMMANDS[name];
  if (entry === undefined) throw new Error(`there is no command "${name}"`);
  (await entry.load()).define(command, { exitCode: 0 } as Cli);
  return command;
}

/** Reads a line as rotatectl would, and does nothing. */
async function parse(name: string, args: readonly string[]): Promise<string> {
  let called = "";
  const command = await defined(name);
  command.action(() => {
    called = name;
  });
  await command.parseAsync(args, { from: "user" });
  return called;
}
