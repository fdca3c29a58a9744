import { createHmac, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import { type Consumer, defineConsumer } from "../../src/contract/consumer.ts";
import { AdapterError } from "../../src/contract/errors.ts";
import { fileError } from "../../src/contract/file-errors.ts";
import type { Finding } from "../../src/contract/finding.ts";
import { Secret } from "../../src/contract/secret.ts";
import { duration } from "../../src/contract/settings.ts";
import type { World } from "../../src/contract/world.ts";

const commandLine = () =>
  z
    .array(z.string())
    .min(1, "a program and its arguments")
    .refine(([program]) => program?.startsWith("/"), "the program by its absolute path");

const settings = z.strictObject({
  reload: commandLine()
    .optional()
    .describe("what makes the program read its key again, as a list without a shell; left out where it does so by itself"),
  validate: commandLine().describe("what makes a live request through the program, as a list without a shell; may answer with an HMAC"),
  timeout: duration().prefault("30s").describe("how long each of the two may take"),
});

type Settings = z.output<typeof settings>;
type Action = "reload" | "validate";

/** What `validate` may print: whether the request succeeded, and HMAC-SHA-256 over the nonce, keyed with the secret in use, in hex. */
const answer = z.object({ ok: z.boolean(), hmac: z.hex().length(64).optional() });

/** Any program that two commands can speak for. Both get `{"credential": NAME, "nonce": TEXT}` as one JSON line on stdin. */
export const command = defineConsumer({
  title: "Any program, by two commands",
  settings,
  use: z.strictObject({}),
  connect: (settings, _, context, world) => connect(settings, context, world),
});

function connect(settings: Settings, { credential, consumer }: { credential: string; consumer: string }, world: World): Consumer {
  const who = (action: Action) => `consumer ${consumer}: ${action}`;

  /** Runs one of the two commands and gives what it printed; anything but exit 0 proves nothing. */
  async function run(action: Action, line: readonly string[], nonce: string, signal: AbortSignal): Promise<string> {
    const deadline = world.clock.deadline(settings.timeout);
    try {
      const stdin = `${JSON.stringify({ credential, nonce })}\n`;
      const { exitCode, stdout, stderr } = await world.run(line, { stdin, signal: AbortSignal.any([signal, deadline]) });
      if (exitCode === 0) return stdout;
      const ended = exitCode === null ? "killed by a signal" : `exit code ${exitCode}`;
      throw new AdapterError("inconclusive", `${who(action)}: ${ended}${lastWords(stderr)}`, {
        cure: `run ${line[0]} by hand and see why it fails`,
      });
    } catch (error) {
      if (error !== deadline.reason) throw error;
      throw new AdapterError("timeout", `${who(action)}: no end after ${settings.timeout} ms`, {
        cure: `see why ${line[0]} takes so long, or raise timeout`,
      });
    }
  }

  /** Whether the program holds `expected`; `undefined` where it succeeds but does not show its value. */
  async function validate(expected: Secret, signal: AbortSignal): Promise<boolean | undefined> {
    const nonce = Buffer.from(world.random(32)).toString("hex");
    const stdout = await run("validate", settings.validate, nonce, signal);
    const reply = answer.safeParse(parseJson(stdout));
    if (!reply.success) {
      if (!stdout.trimStart().startsWith("{")) return undefined;
      throw new AdapterError("malformed", `${who("validate")}: its answer is not { "ok": true, "hmac": HEX }`, {
        cure: `let ${settings.validate[0]} print { "ok": true, "hmac": HEX }, or nothing`,
      });
    }
    if (!reply.data.ok) throw new AdapterError("inconclusive", `${who("validate")}: it answers that its request did not succeed`);
    return reply.data.hmac === undefined ? undefined : isHmac(reply.data.hmac, nonce, expected);
  }

  const otherValue = {
    cause: `${who("validate")}: the program uses another value than the store holds`,
    cure: "see where the program takes its key from (its own file or environment may come first), and that reload makes it read the store again",
  };

  return {
    async preflight(current, signal) {
      signal.throwIfAborted();
      const findings = await missingPrograms(settings, world);
      if (findings.length > 0 || current === undefined) return findings;
      const held = await validate(current, signal);
      return held === false ? [{ code: "shadowed", message: otherValue.cause, cure: otherValue.cure }] : [];
    },

    async reload(_expected, signal) {
      signal.throwIfAborted();
      // Exit 0 is all that a reload says; `prove` shows whether it did what it should.
      if (settings.reload !== undefined) await run("reload", settings.reload, Buffer.from(world.random(32)).toString("hex"), signal);
      return { holds: "expected" };
    },

    async prove(expected, signal) {
      const held = await validate(expected, signal);
      if (held === false) return { result: "contradicted", ...otherValue };
      return { result: "proven", grade: held ? "value" : "answered", detail: { command: settings.validate[0] } };
    },

    describe: () => ({
      reload: settings.reload === undefined ? "nothing is run: it reads its key by itself" : `runs ${settings.reload[0]}`,
      prove: `runs ${settings.validate[0]}, which makes a live request`,
    }),
  };
}

async function missingPrograms(settings: Settings, world: World): Promise<readonly Finding[]> {
  const lines = [settings.reload, settings.validate].filter((line) => line !== undefined);
  const findings: Finding[] = [];
  for (const [program = ""] of lines) {
    const facts = await world.files.stat(program).catch((error) => {
      throw fileError(error, `look at ${program}`);
    });
    // What a link leads to shows when it is run.
    if (facts?.kind === "symlink" || (facts?.kind === "file" && (facts.mode & 0o111) !== 0)) continue;
    const what = facts === undefined ? "is not there" : "is not an executable file";
    findings.push({
      code: "notExecutable",
      message: `${program} ${what}`,
      cure: facts === undefined ? "correct its path" : `chmod +x ${program}`,
    });
  }
  return findings;
}

function isHmac(hmac: string, nonce: string, secret: Secret): boolean {
  return timingSafeEqual(Buffer.from(hmac, "hex"), createHmac("sha256", secret.reveal()).update(nonce).digest());
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The last line of an error output, without secrets and control characters, not longer than a sentence. */
function lastWords(stderr: string): string {
  const line = Secret.mask(stderr.trimEnd()).split("\n").at(-1) ?? "";
  const text = line.replace(/\p{Cc}+/gu, " ").trim();
  return text === "" ? "" : `: ${text.slice(0, 200)}`;
}
