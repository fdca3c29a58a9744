import { chmodSync, chownSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseEnv } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { envDocument } from "../../adapters/stores/env-file/document.ts";
import { envFile } from "../../adapters/stores/env-file.ts";
import { DocumentError } from "../../adapters/stores/on-disk/document.ts";
import { AdapterError } from "../../src/contract/errors.ts";
import { Secret } from "../../src/contract/secret.ts";
import { NASTY, randomEnvFile } from "../support/env-files.ts";
import { randomFrom } from "../support/random.ts";
import { realWorld } from "../support/real-world.ts";

const { signal } = new AbortController();
/** Give ROTATED_SEED to have the same files again. */
const SEED = Number(process.env["ROTATED_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
const FILES = 20_000;

const unless = <T>(work: () => T): T | DocumentError => {
  try {
    return work();
  } catch (error) {
    if (error instanceof DocumentError) return error;
    throw error;
  }
};

/** Every variable of a text but ours, as Node reads it; behind an empty value it sometimes takes a comment for one. */
function others(text: string): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(parseEnv(text)).filter(([name]) => name !== "NAME" && /^[\w.-]+$/.test(name)));
}

describe("format dotenv, judged by Node's own parser", () => {
  const dotenv = envDocument("NAME", "dotenv");

  function judge(text: string): "taken" | "refused" {
    const value = unless(() => dotenv.get(text));
    if (value instanceof DocumentError) return "refused";
    expect(value, JSON.stringify(text)).toBe(parseEnv(text)["NAME"] || undefined);
    const after = unless(() => dotenv.set(text, "sk-new"));
    if (after instanceof DocumentError) return "refused";
    expect(parseEnv(after)["NAME"], JSON.stringify([text, after])).toBe("sk-new");
    expect(others(after), JSON.stringify([text, after])).toEqual(others(text));
    return "taken";
  }

  it.each(Object.entries(NASTY))("%s", (_, text) => {
    judge(text);
  });

  it("refuses what programs read differently, and nothing else of the table", () => {
    const refused = Object.keys(NASTY).filter((name) => judge(NASTY[name] ?? "") === "refused");
    expect(refused).toEqual([
      "nothing but spaces",
      "a comment first",
      "a hash inside",
      "set twice",
      "export with a tab",
      "parts of one value",
      "parts with a space",
      "something behind quotes",
      "quotes that do not end",
      "others' quotes that do not end",
      "a continued line",
      "a continued line in quotes",
      "a continued line with CRLF",
      "a backslash",
      "a backslash in double quotes",
      "an escaped quote",
      "an escaped space at the end",
      "a dollar",
      "a dollar in quotes",
      "an escaped dollar",
      "no equals sign",
      "a colon",
      "an equals sign first",
      "a byte order mark",
      "a carriage return inside",
      "a spaces-only value before",
      "a spaces-only value in an indented comment before",
      "quotes that do not end in an indented comment",
    ]);
  });

  it(`${FILES} files at random (seed ${SEED}): what is read and written is what Node reads`, () => {
    const random = randomFrom(SEED);
    let taken = 0;
    for (let count = 0; count < FILES; count += 1) if (judge(randomEnvFile(random)) === "taken") taken += 1;
    expect(taken).toBeGreaterThan(FILES / 20);
  });
});

describe.each(["systemd", "dotenv"] as const)("writing (%s)", (format) => {
  const document = envDocument("NAME", format);

  it.each([
    ["in its place", "A=1\nNAME=old\nB=2\n", "A=1\nNAME=new\nB=2\n"],
    ["with its spaces and quotes", "  NAME = 'old'  \nB=2", "  NAME = 'new'  \nB=2"],
    ["in double quotes", 'NAME="old"\n', 'NAME="new"\n'],
    ["where it was empty", "NAME=\nB=2\n", "NAME=new\nB=2\n"],
    ["where empty quotes were", 'NAME=""\n', 'NAME="new"\n'],
    ["at the end", "A=1\n", "A=1\nNAME=new\n"],
    ["at the end of a file without a last line end", "A=1", "A=1\nNAME=new"],
    ["with the line ends of the file", "A=1\r\nNAME=old\r\nB=2\r\n", "A=1\r\nNAME=new\r\nB=2\r\n"],
    ["at the end of a file with CRLF", "A=1\r\n", "A=1\r\nNAME=new\r\n"],
    ["below comments", "# NAME=old\n", "# NAME=old\nNAME=new\n"],
    ["into nothing", "", "NAME=new\n"],
  ])("stands %s", (_, before, after) => {
    expect(document.set(before, "new")).toBe(after);
    expect(document.get(after)).toBe("new");
  });

  it.each([
    ["sk-proj-Ab_12.3/4+5=", "NAME=sk-proj-Ab_12.3/4+5=\n"],
    ["a b#c;d&e|f(g)<h>i*j?k!l~m", 'NAME="a b#c;d&e|f(g)<h>i*j?k!l~m"\n'],
    [" spaces ", 'NAME=" spaces "\n'],
  ])("quotes %j only where it must", (value, text) => {
    expect(document.set("", value)).toBe(text);
    expect(document.get(text)).toBe(value);
    expect(parseEnv(text)["NAME"]).toBe(value);
  });

  it.each(['a"b', "a'b", "a`b", "a$b", "a\\b", "a\nb", "a\rb", "a\0b", "ä", "a\u2028b", "\t", ""])("refuses the value %j", (value) => {
    expect(unless(() => document.set("", value))).toMatchObject({ code: "invalid" });
  });

  it.each([
    ["two of it", "NAME=1\nNAME=2\n", "NAME is set more than once: line 1, line 2"],
    ["a zero byte", "NAME=\0", "it is no text: it holds a zero byte"],
    ["a byte order mark", "\uFEFFNAME=1", "it begins with a byte order mark"],
  ])("refuses a file with %s", (_, text, message) => {
    expect(unless(() => document.get(text))).toMatchObject({ code: "misconfigured", message });
    expect(unless(() => document.set(text, "new"))).toMatchObject({ code: "misconfigured", message });
  });
});

describe("format systemd", () => {
  const systemd = envDocument("NAME", "systemd");

  it.each([
    ["a value in parts", "A=1\nNAME=\"o\"'ld' \nB=2", "A=1\nNAME=new \nB=2"],
    ["a continued value", "NAME=o\\\nl\\\nd\nB=2\n", "NAME=new\nB=2\n"],
    ["an escaped space at its end", "NAME=old\\ \nB=2\n", "NAME=new\nB=2\n"],
  ])("replaces %s as a whole", (_, before, after) => {
    expect(systemd.set(before, "new")).toBe(after);
  });

  it.each([
    ["OTHER='1\n", "what begins in line 1 has no end"],
    ["A=1\nOTHER=1\\", "what begins in line 2 has no end"],
    ["A=1\n# goes on \\", "what begins in line 2 has no end"],
    ["# goes on \\\n", /^line 1: a comment that ends in a backslash goes on in the next line before systemd 254/],
    ["# goes on \\\nNAME=1\n", /^line 1: a comment that ends in a backslash goes on in the next line before systemd 254/],
    ["A=1\nNAME='1\nB=2\n", "what begins in line 2 has no end"],
    ["A=1\nexport NAME=1\n", "line 2: systemd skips a line with export"],
  ])("adds nothing to %j", (text, message) => {
    const refused = unless(() => systemd.set(text, "new"));
    expect(refused).toMatchObject({ code: "misconfigured", message: expect.stringMatching(message) });
  });
});

describe("the mirror", () => {
  const isRoot = process.getuid?.() === 0;
  let directory: string;
  let path: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "rotated-env-"));
    path = join(directory, "app.env");
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  const mirror = () => envFile.mirror({}, envFile.place.parse({ path, name: "NAME" }), { credential: "prod" }, realWorld(directory));
  const write = () => mirror().write(new Secret("sk-canary-new"), undefined, signal);

  async function refusal(work: Promise<unknown>): Promise<AdapterError> {
    const error: unknown = await work.catch((reason: unknown) => reason);
    if (!(error instanceof AdapterError)) throw new Error(`no AdapterError but ${String(error)}`);
    expect(`${error.message} ${error.hint}`).not.toContain("canary");
    return error;
  }

  it("makes the file where there is none, for its owner alone", async () => {
    await write();
    expect(readFileSync(path, "utf8")).toBe("NAME=sk-canary-new\n");
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it("keeps the mode of a file that is there", async () => {
    writeFileSync(path, "A=1\n");
    chmodSync(path, 0o640);
    await write();
    expect(statSync(path).mode & 0o777).toBe(0o640);
  });

  it.runIf(isRoot)("keeps the owner of a file that is there (skipped for others than root: only root may give files away)", async () => {
    writeFileSync(path, "A=1\n", { mode: 0o600 });
    chownSync(path, 1234, 5678);
    await write();
    expect(statSync(path)).toMatchObject({ uid: 1234, gid: 5678 });
  });

  it("writes no secret where everybody may read, and says so before anything is made", async () => {
    writeFileSync(path, "A=1\n");
    chmodSync(path, 0o644);
    for (const work of [mirror().preflight(signal), write()]) {
      expect(await refusal(work)).toMatchObject({
        code: "misconfigured",
        message: expect.stringContaining("(mode 644)"),
        cure: `chmod o= ${path}`,
      });
    }
    expect(readFileSync(path, "utf8")).toBe("A=1\n");
  });

  it("finds at the pre-flight that the file could not take a line", async () => {
    writeFileSync(path, "OTHER='no end", { mode: 0o600 });
    const { code, hint } = await refusal(mirror().preflight(signal));
    expect([code, hint]).toEqual(["misconfigured", "end the quotes or the continued line"]);
  });

  it("refuses a secret that readers would read differently", async () => {
    const error = await refusal(mirror().write(new Secret("sk-canary-$1"), undefined, signal));
    expect(error.code).toBe("invalid");
  });

  it("refuses links, as the store of files does", async () => {
    writeFileSync(join(directory, "real"), "A=1\n");
    symlinkSync("real", path);
    expect(await refusal(write())).toMatchObject({ code: "misconfigured", message: `env file: ${path} is a symbolic link` });
  });
});
