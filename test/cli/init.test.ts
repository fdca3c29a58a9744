import { readdirSync } from "node:fs";
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { ConfigError } from "../../src/config/error.ts";
import { parseConfig } from "../../src/config/load.ts";
import { importAll } from "../../src/config/registry.ts";
import type { Plugs } from "../../src/config/schema.ts";
import { blanksOf } from "../../src/init/proposal.ts";
import { propose } from "../../src/init/propose.ts";
import { defaultPath, readOpenClaw } from "../../src/init/read.ts";
import { writeProposal } from "../../src/init/write.ts";
import { REGISTRY } from "../../src/registry.ts";
import { openBench } from "./run.ts";

const FOLDER = fileURLToPath(new URL("./init/", import.meta.url));
const PLUGS: Plugs = await importAll(REGISTRY);
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

describe("no secret gets out", () => {
  /** As they look: with the mark of a vendor, without one, and in an address. */
  const SECRETS = ["sk-canary-0123456789abcdef", "canary0123456789abcdef0123", "https://user:canary@llm.example.org/v1?key=canary"];

  /** The configuration with `secret` in the place of one text or one name after the other. */
  function* replaced(value: unknown, secret: string): Generator<unknown> {
    if (typeof value === "string") yield secret;
    if (Array.isArray(value)) {
      for (const [index, item] of value.entries()) for (const other of replaced(item, secret)) yield value.with(index, other);
    } else if (typeof value === "object" && value !== null) {
      for (const [name, item] of Object.entries(value)) {
        for (const other of replaced(item, secret)) yield { ...value, [name]: other };
        const { [name]: _, ...rest } = value as Record<string, unknown>;
        yield { ...rest, [secret]: item };
      }
    }
  }

  test.each(FIXTURES)("wherever it stands in %s, as a value and as a name", async (name) => {
    const { config, ...reading } = await readOpenClaw(join(FOLDER, name), {});
    let count = 0;
    for (const secret of SECRETS) {
      for (const changed of replaced(config, secret)) {
        const other = { ...reading, config: changed as typeof config };
        expect(JSON.stringify(propose(other, { plugs: PLUGS, home: HOME, account: "alice" }))).not.toContain("canary");
        count++;
      }
    }
    expect(count).toBeGreaterThan(SECRETS.length * 5);
  });

  test("a key that looks like a name is known by where it stands, and hides the name that is equal to it", async () => {
    const provider = (name: string, apiKey: unknown) => ({ [name]: { baseUrl: "https://api.openai.com/v1", apiKey } });
    const models = {
      providers: { ...provider("canary-of-letters", "canary-of-letters"), ...provider("openai", { source: "env", id: "X" }) },
    };
    const proposal = propose(
      { path: "/canary-of-letters/openclaw.json", config: { models }, included: [], refusals: [], owner: 0 },
      { plugs: PLUGS, home: HOME, account: "alice" },
    );
    expect(writeProposal(proposal)).not.toContain("canary");
    expect(proposal.credentials.map(({ name }) => name)).toEqual(["openclaw-openai"]);
  });

  test.each([
    `{ models: { providers: { openai: { apiKey: "sk-canary" "sk-canary" } } } }`,
    "{ apiKey: sk-canary }",
    `{ apiKey: "sk-canary\n" }`,
    `{ "sk-canary" }`,
    "sk-canary",
    `{ a: "sk-canary`,
  ])("a text that is no JSON5 is not quoted: %#", async (text) => {
    await using bench = await openBench();
    const file = join(bench.directory, "openclaw.json");
    await writeFile(file, text);
    const ran = await bench.run(["init", file]);
    expect(ran).toMatchObject({ code: 1, stdout: "" });
    expect(ran.stderr).toMatch(/^rotatectl: error: \S+:\d+:\d+: is not JSON5 from here on\nrotatectl: hint: /);
    expect(ran.all).not.toContain("canary");
  });
});

describe("what is there in this version", () => {
  const reading = (providers: unknown) => ({
    path: "/openclaw.json",
    config: { models: { providers } },
    included: [],
    refusals: [],
    owner: 0,
  });

  test("a vendor without a provider is told", async () => {
    const { openai: _, ...others } = PLUGS.providers;
    const proposal = propose(reading({ openai: { apiKey: "canary" } }), {
      plugs: { ...PLUGS, providers: others },
      home: HOME,
      account: "alice",
    });
    expect(proposal).toMatchObject({ credentials: [], left: ["models.providers.openai: there is no provider for openai in this version"] });
  });

  test("OpenClaw's own store becomes a mirror where there is one for it", async () => {
    const apiKey = { source: "store", provider: "default", id: "OPENAI_API_KEY" };
    const proposal = propose(reading({ openai: { apiKey } }), { plugs: PLUGS, home: HOME, account: "alice" });
    const text = writeProposal(proposal);
    expect(text).toContain("  openclaw-store: { type: openclaw-secrets, consumer: gateway }\n");
    expect(text).toContain("    mirrors:\n      - { use: openclaw-store, path: OPENAI_API_KEY }\n");
    expect(onlyPaths(problemsOf(text))).toEqual(["providers.openai.project"]);
  });
});

describe("a key in Vault", () => {
  const proposed = (env: unknown, id = "apps/openclaw/apiKey") => {
    const openai = { baseUrl: "https://api.openai.com/v1", auth: "api-key", apiKey: { source: "exec", provider: "vault", id } };
    const secrets = { providers: { vault: { source: "exec", pluginIntegration: { pluginId: "vault", integrationId: "vault" } } } };
    const config = { env, secrets, models: { providers: { openai } } };
    return propose(
      { path: "/openclaw.json", config, included: [], refusals: [], owner: 0 },
      { plugs: PLUGS, home: HOME, account: "alice" },
    );
  };

  test("is proposed with a namespace and a mount that load, whatever slashes are around them", () => {
    const proposal = proposed({ vars: { VAULT_NAMESPACE: "admin/", OPENCLAW_VAULT_KV_MOUNT: "/kv/" } });
    expect(proposal.stores[0]?.settings).toEqual(
      expect.arrayContaining([
        { name: "namespace", value: "admin" },
        { name: "mount", value: "kv" },
      ]),
    );
    expect(onlyPaths(problemsOf(writeProposal(proposal)))).toEqual(blanksOf(proposal));
  });

  test("is left out where the variables say that no version is kept, or the id is no path", () => {
    expect(proposed({ OPENCLAW_VAULT_KV_VERSION: "1" })).toMatchObject({ credentials: [], left: [expect.stringContaining("version 1")] });
    expect(proposed({}, "apps//apiKey/x")).toMatchObject({ credentials: [], left: [expect.stringContaining("no path of Vault")] });
  });
});

describe("what two settings share", () => {
  const config = (providers: unknown) => ({
    models: { providers },
    secrets: {
      providers: {
        one: { source: "file", path: "/keys.json", mode: "json" },
        two: { source: "file", path: "/keys.json", mode: "json" },
        rotated: { source: "exec", command: "/rotated-resolve" },
      },
    },
  });
  const proposed = (providers: unknown) =>
    propose(
      { path: "/openclaw.json", config: config(providers), included: [], refusals: [], owner: 0 },
      { plugs: PLUGS, home: HOME, account: "alice" },
    );
  const baseUrl = "https://api.openai.com/v1";

  test("one place under two names of its source is one credential with two uses", () => {
    const at = (provider: string) => ({ baseUrl, apiKey: { source: "file", provider, id: "/k" } });
    const { credentials } = proposed({ a: at("one"), b: at("two") });
    expect(credentials).toHaveLength(1);
    expect(credentials[0]?.settings.find(({ name }) => name === "consumers")?.value).toMatchObject([{ provider: "a" }, { provider: "b" }]);
  });

  test("no two credentials have one name", () => {
    const plain = (apiKey: string) => ({ baseUrl, apiKey });
    const given = { baseUrl, apiKey: { source: "exec", provider: "rotated", id: "openclaw-a" } };
    const proposal = proposed({ "a-2": plain("canary-1"), a: plain("canary-2"), A: plain("canary-3"), given });
    expect(proposal.credentials.map(({ name }) => name)).toEqual(["openclaw-a-2", "openclaw-a", "openclaw-a-3"]);
    expect(proposal.left).toEqual([expect.stringContaining("models.providers.given.apiKey cannot be followed")]);
  });

  test("an address that cannot be repeated is nobody's, whatever its entry is called", () => {
    const proposal = proposed({ openai: { baseUrl: "https://user:canary@proxy.example.org/v1", apiKey: "canary" } });
    expect(proposal).toMatchObject({ credentials: [], left: [expect.stringContaining("there is no provider for it")] });
    expect(JSON.stringify(proposal)).not.toContain("canary");
  });
});

describe("rotatectl init", () => {
  test("prints the file on stdout and says on stderr what is left to do; no daemon is asked", async () => {
    await using bench = await openBench();
    await bench.stop();
    const ran = await bench.run(["init", join(FOLDER, "plain-text.json5")]);
    expect(ran.code).toBe(0);
    expect(ran.stderr).toBe(
      "rotatectl: proposed: 2 credentials, 1 setting to fill in, 3 things that it does not rotate, told at its end\n" +
        "rotatectl: hint: read it, fill it in, and then: rotatectl check FILE",
    );
    expect(ran.all).not.toContain("canary");
    const check = join(bench.directory, "rotated.yaml");
    await writeFile(check, ran.stdout);
    const checked = await bench.run(["check", check]);
    expect(checked.stdout.match(/^✖.*/gm)).toEqual([expect.stringMatching(/providers\.openai\.project: has no value$/)]);
    await writeFile(check, ran.stdout.replace(/project:$/m, "project: proj_1"));
    expect(await bench.run(["check", check])).toMatchObject({ code: 0 });
  });

  test("--output writes it for the group to read, and replaces nothing without --force", async () => {
    await using bench = await openBench();
    const output = join(bench.directory, "rotated.yaml");
    const argv = ["init", join(FOLDER, "vendors.json5"), "--output", output];
    expect(await bench.run(argv)).toMatchObject({ code: 0, stdout: "" });
    expect((await stat(output)).mode & 0o777).toBe(0o640);
    const written = await readFile(output, "utf8");
    await writeFile(output, "mine");
    expect(await bench.run(argv)).toMatchObject({ code: 2, stderr: expect.stringContaining("is there already") });
    expect(await readFile(output, "utf8")).toBe("mine");
    expect(await bench.run([...argv, "--force"])).toMatchObject({ code: 0 });
    expect(await readFile(output, "utf8")).toBe(written);
    expect((await stat(output)).mode & 0o777).toBe(0o640);
  });

  test("fails where there is nothing to propose, and says what it found", async () => {
    await using bench = await openBench();
    const ran = await bench.run(["init", join(FOLDER, "nothing.json5")]);
    expect(ran).toMatchObject({ code: 1, stdout: "" });
    expect(ran.stderr).toContain("rotatectl: note: models.providers.ollama (127.0.0.1:11434): there is no provider for it");
    expect(ran.all).not.toContain("canary");
  });

  test("a file that is not there is told with a cure", async () => {
    await using bench = await openBench();
    const ran = await bench.run(["init", "/nowhere/openclaw.json"]);
    expect(ran).toMatchObject({ code: 1, stdout: "" });
    expect(ran.stderr).toMatch(/^rotatectl: error: \/nowhere\/openclaw.json: no such file\nrotatectl: hint: /);
  });

  test.each([
    [{ HOME: "/home/alice" }, "/home/alice/.openclaw/openclaw.json"],
    [{ HOME: "/home/alice", OPENCLAW_HOME: "~/svc" }, "/home/alice/svc/.openclaw/openclaw.json"],
    [{ HOME: "/home/alice", OPENCLAW_STATE_DIR: "~/state" }, "/home/alice/state/openclaw.json"],
    [{ HOME: "/home/alice", OPENCLAW_STATE_DIR: "/state", OPENCLAW_CONFIG_PATH: "/etc/openclaw.json" }, "/etc/openclaw.json"],
    [{ HOME: "/home/alice", OPENCLAW_CONFIG_PATH: "undefined" }, "/home/alice/.openclaw/openclaw.json"],
  ])("looks where OpenClaw looks: %j", (env, path) => {
    expect(defaultPath(env)).toBe(path);
  });
});
