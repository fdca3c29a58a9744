import { createHmac, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import { AdapterError } from "../../../src/contract/errors.ts";
import { fileError } from "../../../src/contract/file-errors.ts";
import type { Finding } from "../../../src/contract/finding.ts";
import { parseJson } from "../../../src/contract/json.ts";
import { Secret } from "../../../src/contract/secret.ts";
import type { World } from "../../../src/contract/world.ts";

/** A program and its arguments, as a setting. */
export const commandLine = () =>
  z
    .array(z.string())
    .min(1, "a program and its arguments")
    .refine(([program]) => program?.startsWith("/"), "the program by its absolute path");

/** What may be printed about a program's key: whether a request succeeded, and HMAC-SHA-256 over the nonce, keyed with the secret in use, in hex. */
const answer = z.object({ ok: z.boolean(), hmac: z.hex().length(64).optional() });

/** The commands of an operator that speak for a program. Each gets `{"credential": NAME, "nonce": TEXT}` as one JSON line on stdin. */
export interface Commands {
  /** Runs one of them and gives what it printed. Throws for anything but exit 0, which proves nothing. */
  run(action: string, line: readonly string[], signal: AbortSignal): Promise<string>;
  /** Whether the program holds `expected`, as this command shows; `undefined` where it succeeds but does not show the value. */
  holds(action: string, line: readonly string[], expected: Secret, signal: AbortSignal): Promise<boolean | undefined>;
  /** What a person reads when the program holds another value. */
  otherValue(action: string): { readonly cause: string; readonly cure: string };
}

export function openCommands(
  { credential, consumer }: { readonly credential: string; readonly consumer: string },
  timeoutMs: number,
  world: World,
): Commands {
  const who = (action: string) => `consumer ${consumer}: ${action}`;

  async function run(action: string, line: readonly string[], nonce: string, signal: AbortSignal): Promise<string> {
    const deadline = world.clock.deadline(timeoutMs);
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
      throw new AdapterError("timeout", `${who(action)}: no end after ${timeoutMs} ms`, {
        cure: `see why ${line[0]} takes so long, or raise timeout`,
      });
    }
  }

  const newNonce = () => Buffer.from(world.random(32)).toString("hex");

  return {
    run: (action, line, signal) => run(action, line, newNonce(), signal),

    async holds(action, line, expected, signal) {
      const nonce = newNonce();
      const stdout = await run(action, line, nonce, signal);
      const reply = answer.safeParse(parseJson(stdout));
      if (!reply.success) {
        // Also behind other lines: what it says there may be a no.
        if (!/^\s*\{/m.test(stdout)) return undefined;
        throw new AdapterError("malformed", `${who(action)}: its answer is not { "ok": true, "hmac": HEX }`, {
          cure: `let ${line[0]} print { "ok": true, "hmac": HEX } and no other line, or nothing`,
        });
      }
      const { ok, hmac } = reply.data;
      const held = hmac === undefined ? undefined : isHmac(hmac, nonce, expected);
      // Another value is what a person must hear of: it is why the request failed, too.
      if (!ok && held !== false) throw new AdapterError("inconclusive", `${who(action)}: it answers that its request did not succeed`);
      return held;
    },

    otherValue: (action) => ({
      cause: `${who(action)}: the program uses another value than the store holds`,
      cure: "see where the program takes its key from (its own file or environment may come first), and that reload makes it read the store again",
    }),
  };
}

/** Programs that are not there or may not be executed. What a link leads to shows when it is run. */
export async function missingPrograms(lines: readonly (readonly string[])[], { files }: World): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const [program = ""] of lines) {
    const facts = await files.stat(program).catch((error) => {
      throw fileError(error, `look at ${program}`);
    });
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

/** The last line of an error output, without secrets and control characters, not longer than a sentence. */
export function lastWords(stderr: string): string {
  const line = Secret.mask(stderr.trimEnd()).split("\n").at(-1) ?? "";
  const text = line.replace(/\p{Cc}+/gu, " ").trim();
  return text === "" ? "" : `: ${text.slice(0, 200)}`;
}

function isHmac(hmac: string, nonce: string, secret: Secret): boolean {
  return timingSafeEqual(Buffer.from(hmac, "hex"), createHmac("sha256", secret.reveal()).update(nonce).digest());
}
