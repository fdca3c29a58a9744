import { once } from "node:events";
import { createInterface } from "node:readline";
import { Writable } from "node:stream";

/** No vendor's key is longer; whoever pipes more has piped the wrong thing. */
const LONGEST = 16 * 1024;

/** A secret from a prompt that shows nothing of it, or all of stdin where that is no terminal. `undefined` when it is too long. */
export async function readSecret(prompt: string): Promise<string | undefined> {
  const text = process.stdin.isTTY ? await ask(prompt) : await readAll();
  return text !== undefined && text.length <= LONGEST ? text : undefined;
}

async function ask(prompt: string): Promise<string> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  // This switches the terminal's echo off: whoever types as soon as asked must not see it.
  const lines = createInterface({ input: process.stdin, output: nowhere, terminal: true, historySize: 0 });
  process.stderr.write(prompt);
  try {
    // Ctrl-C and Ctrl-D close it without a line.
    const [line] = await Promise.race([once(lines, "line"), once(lines, "close")]);
    return typeof line === "string" ? line : "";
  } finally {
    lines.close();
    process.stderr.write("\n");
  }
}

async function readAll(): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > LONGEST) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
