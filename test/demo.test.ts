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
    const child = spawn(process.execPath, ["demo/main.ts", ...args], {
      cwd: ROOT,
      stdio: ["ignore", "pipe", "pipe"],
      env: { PATH: process.env["PATH"], HOME: process.env["HOME"], TMPDIR: this.tmp },
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

  /** Files, and processes: all of them have the directory in their environment. */
  leftovers(): readonly string[] {
    const processes = readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .flatMap((pid) => {
        try {
          return readFileSync(`/proc/${pid}/environ`, "utf8").includes(this.tmp) ? [readFileSync(`/proc/${pid}/cmdline`, "utf8")] : [];
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

function expectProven(): void {
  for (const step of ["generate", "update", "reload", "validate", "revoke"]) expect(demo.output).toContain(`\n✔ ${step} `);
  expect(demo.output).toMatch(/✔ requests +[1-9]\d+ served, 0 failed\n/);
  expect(demo.output).toMatch(/✔ old key +a request with key_\w+ is answered 401 invalid_api_key\n/);
  expect(demo.output).toMatch(/✔ new key +a request .* is answered 200\n/);
  expect(demo.output).toMatch(/✔ history +.* confirm {2}key_\w+ proven dead \(3 times in a row\)\n/);
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
    [["--help"], 0, "--openclaw"],
    [["--opnclaw"], 2, "Did you mean --openclaw?"],
    [["more"], 2, "too many arguments"],
  ])("%j ends with %i", async (args, code, text) => {
    demo.start(...args);
    expect(await demo.ended()).toBe(code);
    expect(demo.output).toContain(text);
    expect(demo.leftovers()).toEqual([]);
  });
});

describe("npm run demo -- --openclaw", { timeout: 300_000 }, () => {
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
