import { copyFileSync, rmSync } from "node:fs";
import Database from "better-sqlite3";
import { afterEach, describe, expect, test } from "vitest";
import { expectPromisesHold } from "../kill/invariants.ts";
import { rotatectl } from "../support/rotatectl.ts";
import { RotationHost } from "../support/rotation-host.ts";
import { refusedStart } from "./daemon.ts";

let host: RotationHost;
afterEach(() => host.stop());

const ctl = (...args: string[]) => rotatectl(host.host.socket, ...args);

/** What an operator may write, and what is said of it: at the start, by a reload, and by `rotatectl check`. */
const WRONG_FILES: readonly { name: string; change: (text: string) => string; msg: string | RegExp; hint: string | RegExp }[] = [
  {
    name: "broken YAML",
    change: (text) => text.replace("every: 30d", "every: [30d"),
    msg: /wrong indentation, or a bracket that is not closed/,
    hint: /^lines of one mapping begin in the same column$/,
  },
  {
    name: "an unknown setting",
    change: (text) => text.replace("overlap: 1h", "overlapp: 1h"),
    msg: /unknown setting/,
    hint: /did you mean "overlap"/,
  },
  {
    name: "a missing reference",
    change: (text) => text.replace("provider: openai\n    store", "provider: openay\n    store"),
    msg: /openay/,
    hint: /did you mean "openai"/,
  },
  {
    name: "a secret in the file itself",
    change: (text) => text.replace(/adminKey:\n\s+file: .*/, "adminKey: sk-admin-canary-typed-in"),
    msg: /a secret is given as a reference/,
    hint: /./,
  },
];

describe.each(WRONG_FILES)("$name", ({ change, msg, hint }) => {
  test("is told at the start and by check; with the file mended it starts and rotates", async () => {
    host = await RotationHost.make();
    const good = host.host.read("rotated.yaml");
    const bad = change(good);
    expect(bad, "the file was changed").not.toBe(good);
    host.host.write("rotated.yaml", bad);

    const checked = await ctl("check", host.host.configPath);
    expect(checked.code).toBe(1);
    expect(checked.stdout).toMatch(new RegExp(`✖ ${host.host.configPath}:\\d+:\\d+`));
    expect(checked.stdout).toMatch(msg);
    expect(checked.stdout).toMatch(/hint: ./);

    const { code, said } = await refusedStart(host.host);
    expect(code).toBe(2);
    expect(said).toHaveLength(1);
    expect(said[0]?.msg).toMatch(msg);
    expect(said[0]?.hint).toMatch(hint);
    expect(said[0]?.config, "which file").toBe(host.host.configPath);
    expect(host.host.log + checked.stdout + checked.stderr).not.toContain("canary");

    host.host.write("rotated.yaml", good);
    await host.host.start();
    expect(await ctl("pair", "gateway")).toMatchObject({ code: 0 });
    expect(await ctl("adopt", "main")).toMatchObject({ code: 0 });
    expect(await ctl("rotate", "main", "--now", "--wait")).toMatchObject({ code: 0 });
    await expectPromisesHold(host, await host.host.settled(1), "made");
  });
});

test("a file that is not there, and a command line that is wrong", async () => {
  host = await RotationHost.make();
  const good = host.host.read("rotated.yaml");
  rmSync(host.host.configPath);
  const { code, said } = await refusedStart(host.host);
  expect(code).toBe(2);
  const hint = "make it, or give the right path; README.md has a short one to begin with";
  expect(said).toEqual([{ msg: "no such file", hint, config: host.host.configPath }]);
  host.host.write("rotated.yaml", good);
});

test("an unknown credential is told with those that there are, and the exit code is 1", async () => {
  host = await RotationHost.start();
  for (const word of [
    "rotate",
    "show",
    "history",
    "plan",
    "rehearse",
    "pause",
    "resume",
    "cancel",
    "retry",
    "abandon",
    "adopt",
    "retire",
  ]) {
    const ran = await ctl(word, "mian");
    expect(ran, word).toEqual({
      code: 1,
      stdout: "",
      stderr: 'rotatectl: error: no credential "mian"\nrotatectl: hint: there are: main\n',
    });
  }
});

test("no daemon", async () => {
  host = await RotationHost.make();
  const ran = await ctl("status");
  expect(ran).toMatchObject({ code: 1, stdout: "" });
  expect(ran.stderr).toBe(
    `rotatectl: error: no daemon answers on ${host.host.socket}\nrotatectl: hint: start it with systemctl start rotated; for another socket there are --socket and ROTATED_SOCKET\n`,
  );
});

test("a second daemon on the same files is refused, and the first goes on", { timeout: 120_000 }, async () => {
  host = await RotationHost.start();
  const first = host.host.daemon;
  const { code, said } = await refusedStart(host.host);
  expect(code).toBe(1);
  expect(said).toEqual([
    {
      msg: `${host.host.path("state/rotated.db")}: cannot open the ledger: another process has it open`,
      hint: "only one daemon may use a state directory; stop the other one",
    },
  ]);
  host.host.daemon = first;
  expect(await ctl("rotate", "main", "--now", "--wait")).toMatchObject({ code: 0 });
  await expectPromisesHold(host, await host.host.settled(1), "made");
});

test("a second daemon with a ledger of its own, but the same socket, is refused with a hint", async () => {
  host = await RotationHost.start();
  const first = host.host.daemon;
  const config = host.host.read("rotated.yaml");
  host.host.write(
    "rotated.yaml",
    config.replace(`stateDirectory: ${host.host.path("state")}`, `stateDirectory: ${host.host.path("state-2")}`),
  );
  const { code, said } = await refusedStart(host.host);
  expect(code).toBe(1);
  expect(said).toHaveLength(1);
  expect(said[0]?.msg).toBe(`control socket: another process answers on ${host.host.socket}`);
  expect(said[0]?.hint).toBeDefined();
  host.host.daemon = first;
  expect(await ctl("status")).toMatchObject({ code: 0 });
});

test("a ledger from a newer version is left alone, and serves again under that version", { timeout: 120_000 }, async () => {
  host = await RotationHost.start();
  await host.host.end();
  const path = host.host.path("state/rotated.db");
  copyFileSync(path, host.host.path("backup.db"));
  const db = new Database(path);
  const version = db.pragma("user_version", { simple: true }) as number;
  db.pragma(`user_version = ${version + 1}`);
  db.close();
  const { code, said } = await refusedStart(host.host);
  expect(code).toBe(1);
  expect(said).toEqual([
    {
      msg: `${path}: schema ${version + 1} was written by a newer version of rotated; this one knows ${version}`,
      hint: "install the newer version again, or restore the backup from before the upgrade",
    },
  ]);
  copyFileSync(host.host.path("backup.db"), path);
  await host.host.start();
  expect(await ctl("rotate", "main", "--now", "--wait")).toMatchObject({ code: 0 });
});

test("a ledger that was restored without its fingerprint key is refused; with it, it goes on", { timeout: 120_000 }, async () => {
  host = await RotationHost.start();
  await host.host.end();
  const key = host.host.path("state/fingerprint.key");
  copyFileSync(key, host.host.path("backup.key"));
  rmSync(key);
  for (const again of ["at the first start", "and at the second: the key is not made anew"]) {
    const { code, said } = await refusedStart(host.host);
    expect(code, again).toBe(1);
    expect(said, again).toEqual([
      {
        msg: `${host.host.path("state")}: fingerprint.key is missing, and the ledger has fingerprints made with it`,
        hint: "restore both from the same backup",
      },
    ]);
  }
  copyFileSync(host.host.path("backup.key"), key);
  await host.host.start();
  expect(await ctl("rotate", "main", "--now", "--wait")).toMatchObject({ code: 0 });
  await expectPromisesHold(host, await host.host.settled(1), "made");
});
