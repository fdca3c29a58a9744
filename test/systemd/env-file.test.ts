import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { envDocument } from "../../adapters/stores/env-file/document.ts";
import { DocumentError } from "../../adapters/stores/on-disk/document.ts";
import { NASTY, randomEnvFile } from "../support/env-files.ts";
import { randomFrom } from "../support/random.ts";
import { Box, describeInBox } from "./box.ts";

/** Give ROTATED_SEED to have the same files again. */
const SEED = Number(process.env["ROTATED_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
const FILES = 150;

const UNIT = `[Service]
Type=oneshot
EnvironmentFile=/srv/cases/%i.env
ExecStart=/usr/bin/env -0
StandardOutput=truncate:/srv/cases/%i.out
`;

describeInBox("the env file, read by systemd", () => {
  const document = envDocument("NAME", "systemd");
  let cases: string;
  let box: Box;
  let count = 0;

  beforeAll(async () => {
    cases = await mkdtemp(join(tmpdir(), "rotated-cases-"));
    box = await Box.start({ [cases]: "/srv/cases" });
    await box.write("/etc/systemd/system/case@.service", UNIT);
    await box.must("systemctl", "daemon-reload");
  }, 60_000);
  afterAll(async () => {
    await box?.stop();
    if (cases !== undefined) await rm(cases, { recursive: true });
  });

  /** What services get out of each of these files, by name; `undefined` for a file with which none starts. */
  async function environments(texts: readonly string[]): Promise<readonly (Readonly<Record<string, string>> | undefined)[]> {
    const names = texts.map(() => `${count++}`);
    await Promise.all(names.map((name, index) => writeFile(join(cases, `${name}.env`), texts[index] ?? "")));
    await box.run("systemctl", "start", ...names.map((name) => `case@${name}`));
    return Promise.all(
      names.map(async (name) => {
        const printed = await readFile(join(cases, `${name}.out`), "utf8").catch(() => undefined);
        const lines = printed?.split("\0").filter((line) => /^(NAME|NAM|Name|MY_NAME|NAME2|OTHER|LAST|export)=/.test(line));
        return lines && Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]));
      }),
    );
  }

  /** Reads and writes each text as we do, and has systemd read it before and after. Gives those that we refused. */
  async function judge(texts: readonly string[]): Promise<readonly string[]> {
    const ours = texts.map((text) => {
      try {
        return { text, value: document.get(text), after: document.set(text, "sk-new") };
      } catch (error) {
        if (error instanceof DocumentError) return { text };
        throw error;
      }
    });
    const taken = ours.flatMap((one) => (one.after === undefined ? [] : [one]));
    const seen = await environments(taken.flatMap(({ text, after }) => [text, after]));
    for (const [index, { text, value, after }] of taken.entries()) {
      const [before, then] = [seen[2 * index], seen[2 * index + 1]];
      expect(before?.["NAME"] || undefined, JSON.stringify(text)).toBe(value);
      expect(then, JSON.stringify([text, after])).toEqual({ ...before, NAME: "sk-new" });
    }
    return ours.flatMap((one) => (one.after === undefined ? [one.text] : []));
  }

  test("the nasty ones", async () => {
    const refused = await judge(Object.values(NASTY));
    expect(Object.keys(NASTY).filter((name) => refused.includes(NASTY[name] ?? ""))).toEqual([
      "set twice",
      "export",
      "export with a tab",
      "quotes that do not end",
      "others' quotes that do not end",
      "a continued line at the end",
      "a continued comment",
      "a continued comment at the end",
      "a byte order mark",
    ]);
  });

  test(`${FILES} files at random (seed ${SEED})`, { timeout: 120_000 }, async () => {
    const random = randomFrom(SEED);
    const refused = await judge(Array.from({ length: FILES }, () => randomEnvFile(random)));
    expect(refused.length).toBeLessThan(FILES / 2);
  });
});
