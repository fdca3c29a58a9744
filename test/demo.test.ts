import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ROOT } from "./support/host.ts";

/** The demo as a person starts it, with a directory for temporary files that nobody else uses. */
class Demo {
  readonly tmp = mkdtempSync(join(tmpdir(), "demo-test-"));
  output = "";
  child: ChildProcess | undefined;

  start(...args: readonly string[]): void {
    this.startWith({}, ...args);
  }

  startWith(env: NodeJS.ProcessEnv, ...args: readonly string[]): void {
    const child = spawn(process.execPath, ["demo/main.ts", ...args], {
      cwd: ROOT,
      // A session of its own: whatever it starts without one is known by that.
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      env: { PATH: process.env["PATH"], HOME: process.env["HOME"], TMPDIR: this.tmp, ...env },
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        this.output += text;
      });
    }
    this.child = child;
  }

  /** Its exit code. */
  async ended(): Promise<number | null> {
    const child = this.child as ChildProcess;
    if (child.exitCode === null && child.signalCode === null) await once(child, "close");
    return child.exitCode;
  }

  async says(text: string, ms = 30_000): Promise<void> {
    for (const until = Date.now() + ms; !this.output.includes(text); await sleep(10)) {
      if (Date.now() > until) throw new Error(`it never said "${text}":\n${this.output}`);
    }
  }

  /** Files, and processes: all of them have the directory in their environment, or are of the demo's session. */
  leftovers(): readonly string[] {
    const processes = readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .flatMap((pid) => {
        try {
          const session = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ")[3];
          const ours = session === String(this.child?.pid) || readFileSync(`/proc/${pid}/environ`, "utf8").includes(this.tmp);
          return ours ? [readFileSync(`/proc/${pid}/cmdline`, "utf8")] : [];
        } catch {
          return [];
        }
      });
    return [...readdirSync(this.tmp), ...processes];
  }
}

let demo: Demo;
beforeEach(() => {
  demo = new Demo();
});
afterEach(async () => {
  demo.child?.kill("SIGINT");
  await demo.ended();
  rmSync(demo.tmp, { recursive: true, force: true });
});

function expectProven({ id = /key_\w+/, refusal = /401 invalid_api_key/ } = {}): void {
  for (const step of ["generate", "update", "reload", "validate", "revoke"]) expect(demo.output).toContain(`\n✔ ${step} `);
  expect(demo.output).toMatch(/✔ requests +[1-9]\d+ served, 0 failed\n/);
  expect(demo.output).toMatch(/✔ vendor +answered [1-9]\d* requests with the old key and [1-9]/);
  expect(demo.output).toMatch(new RegExp(`✔ old key +a request with ${id.source} is answered ${refusal.source}\n`));
  expect(demo.output).toMatch(/✔ new key +a request .* is answered 200\n/);
  expect(demo.output).toMatch(new RegExp(`✔ history +.* confirm {2}${id.source} proven dead \\(3 times in a row\\)\n`));
  expect(demo.output).not.toContain("✖");
  expect(demo.output, "a secret").not.toContain("canary");
  expect(demo.output, "colours beside a terminal").not.toContain("\u001b");
}

describe("npm run demo", { timeout: 90_000 }, () => {
  test("rotates a key under load and proves it, in less than a minute", async () => {
    const startedAt = Date.now();
    demo.start();
    expect(await demo.ended(), demo.output).toBe(0);
    expect(Date.now() - startedAt).toBeLessThan(60_000);
    expectProven();
    expect(demo.leftovers()).toEqual([]);
  });

  test.each(["No account is needed", "$ rotatectl adopt", "generate"])('Ctrl-C at "%s" leaves nothing behind', async (moment) => {
    demo.start();
    await demo.says(moment);
    expect(demo.leftovers().length, "it was at work").toBeGreaterThan(0);
    demo.child?.kill("SIGINT");
    expect(await demo.ended(), demo.output).toBe(130);
    expect(demo.output).toContain("demo: error: stopped; cleaning up");
    expect(demo.leftovers()).toEqual([]);
  });

  test("a daemon that dies makes it fail, and leaves nothing behind", async () => {
    demo.start();
    await demo.says("generate");
    process.kill(Number(/process (\d+)/.exec(demo.output)?.[1]), "SIGKILL");
    expect(await demo.ended(), demo.output).toBe(1);
    expect(demo.output).toContain("demo: error: rotated has ended (SIGKILL)");
    expect(demo.leftovers()).toEqual([]);
  });

  test("--keep keeps the directory, and no process", async () => {
    demo.start("--keep");
    await demo.says("$ rotatectl adopt");
    demo.child?.kill("SIGTERM");
    await demo.ended();
    const [kept = "", ...more] = demo.leftovers();
    expect(more).toEqual([]);
    expect(demo.output).toContain(`Kept: ${join(demo.tmp, kept)}\n`);
    expect(readdirSync(join(demo.tmp, kept))).toEqual(expect.arrayContaining(["rotated.yaml", "rotated.log", "state", "app"]));
  });

  test.each([
    {
      args: ["--store", "vault", "--vendor", "openrouter"],
      says: ["a real OpenBao", "a stand-in for OpenRouter", "gets its key by `rotatectl resolve`"],
      looks: { id: /[0-9a-f]{64}/, refusal: /401/ },
    },
    {
      args: ["--store", "aws", "--vendor", "anthropic"],
      says: ["AWS Secrets Manager as moto plays it", "a stand-in for Anthropic", "$ rotatectl intake demo"],
      looks: { id: /apikey_\w+/, refusal: /401/ },
    },
    {
      args: ["--vendor", "azure-openai"],
      says: ["a stand-in for Azure OpenAI", "the field /azure-openai/apiKey", "dual-slot done"],
      looks: { id: /Key1:\w+/, refusal: /401/ },
    },
  ])("does the same with $args", async ({ args, says, looks }) => {
    const startedAt = Date.now();
    demo.start(...args);
    expect(await demo.ended(), demo.output).toBe(0);
    expect(Date.now() - startedAt).toBeLessThan(60_000);
    expectProven(looks);
    for (const text of says) expect(demo.output).toContain(text);
    expect(demo.leftovers()).toEqual([]);
  });

  test.each([
    ["--store", "vault", "starting OpenBao"],
    ["--store", "aws", "starting moto"],
  ])("Ctrl-C while %s %s starts leaves nothing behind", async (option, name, moment) => {
    demo.start(option, name);
    await demo.says(moment);
    demo.child?.kill("SIGINT");
    expect(await demo.ended(), demo.output).toBe(130);
    expect(demo.leftovers()).toEqual([]);
  });

  test.each([
    ["--store", "vault"],
    ["--store", "aws"],
    ["--vendor", "any-llm"],
  ])("%s %s without python3 says what to install", async (...args) => {
    demo.startWith({ PATH: "/nonexistent" }, ...args);
    expect(await demo.ended(), demo.output).toBe(1);
    expect(demo.output).toMatch(
      /demo: error: .+ needs python3, which is not there\ndemo: hint: on Debian: apt install python3 python3-venv/,
    );
    expect(demo.leftovers()).toEqual([]);
  });

  test.each([
    [["--help"], 0, "--openclaw"],
    [["--help"], 0, "anthropic, any-llm, aws-bedrock, azure-openai, gemini, litellm, openai, openrouter\n"],
    [["--opnclaw"], 2, "Did you mean --openclaw?"],
    [["--store", "valt"], 2, "Did you mean vault? There are file, vault, aws."],
    [["--store", "redis"], 2, "No such store. There are file, vault, aws."],
    [["--vendor", "antropic"], 2, "Did you mean anthropic? There are anthropic, any-llm,"],
    [["--vendor", "openai-admin"], 2, "no consumer could show anything. The demo has anthropic, any-llm,"],
    [["--vendor", "openclaw-token"], 2, "a gateway's own token, not a key of a vendor. The demo has anthropic,"],
    [["more"], 2, "too many arguments"],
  ])("%j ends with %i", async (args, code, text) => {
    demo.start(...args);
    expect(await demo.ended()).toBe(code);
    expect(demo.output).toContain(text);
    expect(demo.leftovers()).toEqual([]);
  });
});

describe("npm run demo -- --openclaw", { timeout: 600_000 }, () => {
  test("does the same with a real gateway", async () => {
    demo.start("--openclaw");
    expect(await demo.ended(), demo.output).toBe(0);
    expectProven();
    expect(demo.leftovers()).toEqual([]);
  });

  test("Ctrl-C while the gateway starts leaves nothing behind", async () => {
    demo.start("--openclaw");
    await demo.says("starting OpenClaw", 120_000);
    await sleep(1000);
    const toldAt = Date.now();
    demo.child?.kill("SIGINT");
    expect(await demo.ended(), demo.output).toBe(130);
    expect(Date.now() - toldAt).toBeLessThan(30_000);
    expect(demo.leftovers()).toEqual([]);
  });
});
