import { copyFileSync, rmSync } from "node:fs";
import Database from "better-sqlite3";
import { afterEach, describe, expect, test } from "vitest";
import { expectPromisesHold } from "../kill/invariants.ts";
import { rotatectl } from "../support/rotatectl.ts";
import { RotationHost } from "../support/rotation-host.ts";
import { errors, eventually, refusedStart, reload } from "./daemon.ts";

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
  expect(said).toEqual([{ msg: "no such file", hint: "make it, or give the right path; README.md has a short one to begin with" }]);
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

test("a second daemon on the same files is refused, and the first goes on", { timeout: 30_000 }, async () => {
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

test("a ledger from a newer version is left alone, and serves again under that version", { timeout: 30_000 }, async () => {
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

test("a ledger that was restored without its fingerprint key is refused; with it, it goes on", { timeout: 30_000 }, async () => {
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

describe("SIGHUP", () => {
  test("takes a good file over", async () => {
    host = await RotationHost.start();
    const config = host.config(host.gateway.url, { credential: { every: "7d", overlap: "2h" } });
    host.host.configure(config);
    const said = await reload(host.host);
    expect(said.at(-1)?.msg).toBe("configuration read again");
    const shown = await host.host.show("main");
    expect(shown).toMatchObject({ schedule: "every 7d", overlapMs: 7_200_000 });
    expect((shown.nextAt ?? 0) - Date.now()).toBeLessThan(7 * 86_400_000);
  });

  test("refuses a broken one with everything that is wrong in it; the one before stays in force", { timeout: 30_000 }, async () => {
    host = await RotationHost.start();
    const good = host.host.read("rotated.yaml");
    host.host.write("rotated.yaml", good.replace("overlap: 1h", "overlapp: 1h").replace("every: 30d", "every: 30 moons"));
    const said = (await reload(host.host)).filter(({ level }) => level === "error");
    expect(said).toHaveLength(3);
    expect(
      said
        .map(({ line }) => line)
        .slice(0, 2)
        .every((line) => typeof line === "number"),
      "with their lines",
    ).toBe(true);
    expect(
      said.slice(0, 2).every(({ hint }) => hint !== undefined),
      "and hints",
    ).toBe(true);
    expect(said[2]?.msg).toBe("the configuration is refused: the one before stays in force");
    expect(await host.host.show("main")).toMatchObject({ schedule: "every 30d", overlapMs: 3_600_000 });
    expect(await ctl("rotate", "main", "--now", "--wait")).toMatchObject({ code: 0 });
    await expectPromisesHold(host, await host.host.settled(1), "made");
  });

  test("a file whose network cannot be set up is refused, too", async () => {
    host = await RotationHost.start();
    host.host.configure({ ...host.config(host.gateway.url), network: { ca: [host.host.path("nowhere.pem")] } });
    const said = (await reload(host.host)).filter(({ level }) => level === "error");
    expect(said.map(({ msg }) => msg)).toEqual([
      expect.stringContaining(`cannot read ${host.host.path("nowhere.pem")}`),
      "the configuration is refused: the one before stays in force",
    ]);
    expect(said[0]?.hint).toContain("nowhere.pem");
    expect(await ctl("status")).toMatchObject({ code: 0 });
  });

  test("warns of what only a start takes over", async () => {
    host = await RotationHost.start();
    const config = { ...host.config(host.gateway.url), stateDirectory: host.host.path("elsewhere"), socket: host.host.path("other.sock") };
    host.host.configure(config);
    const said = await reload(host.host);
    expect(said.filter(({ level }) => level === "warn").map(({ msg }) => msg)).toEqual([
      "stateDirectory and socket are taken over at the next start only",
    ]);
    expect(await ctl("status"), "on the old socket").toMatchObject({ code: 0 });
  });

  test("a credential that is taken out in the middle of a rotation: stuck with its cure; put back, it goes on", {
    timeout: 30_000,
  }, async () => {
    host = await RotationHost.start();
    const good = host.config(host.gateway.url);
    await host.rotate({ overlap: true });
    await host.reaches("drain");
    host.host.configure({ ...good, credentials: {} });
    const said = await reload(host.host);
    expect(said.map(({ msg }) => msg)).toContain("configuration read again");
    const stuck = await eventually(async () => {
      const { rotation } = await host.host.client.call("watch", { id: 1, after: 0, waitMs: 0 });
      return rotation.stuck ?? undefined;
    }, "it is not stuck");
    expect(stuck).toEqual({
      reason: "credential main has an open rotation and is no longer in the configuration",
      hint: "put it back into the configuration and reload, or say rotatectl abandon",
    });
    expect(host.vendor.key.deletedAt, "nothing was revoked").toBeNull();
    host.host.configure(good);
    await reload(host.host);
    await eventually(async () => ((await host.host.show("main")).open?.stuck === null ? true : undefined), "it does not go on");
    expect(await ctl("rotate", "main", "--now", "--wait")).toMatchObject({ code: 0 });
    await expectPromisesHold(host, await host.host.settled(1), "made");
  });

  test("a consumer that is taken out in the middle of a rotation is asked all the same", { timeout: 30_000 }, async () => {
    host = await RotationHost.start();
    const good = host.config(host.gateway.url);
    await host.rotate({ overlap: true });
    await host.reaches("drain");
    const renamed = { other: good.consumers.gateway };
    const main = { ...good.credentials.main, consumers: [{ use: "other", provider: "openai" }] };
    host.host.configure({ ...good, consumers: renamed, credentials: { main } });
    await reload(host.host);
    await ctl("rotate", "main", "--now");
    const stuck = await eventually(async () => (await host.host.show("main")).open?.stuck ?? undefined, "it is not stuck");
    expect(stuck).toEqual({
      reason: "consumer gateway is part of a rotation and no longer in the configuration",
      hint: "put consumer gateway back into the configuration and reload, or say rotatectl abandon",
    });
    expect(host.vendor.key.deletedAt, "nothing was revoked").toBeNull();
    host.host.configure(good);
    await reload(host.host);
    expect(await ctl("retry", "main")).toMatchObject({ code: 0 });
    const rotation = await eventually(async () => {
      const view = (await host.host.client.call("watch", { id: 1, after: 0, waitMs: 0 })).rotation;
      return view.outcome === null ? undefined : view;
    }, "it does not go on");
    expect(rotation.outcome).toBe("done");
    expect(errors(host.host).some(({ msg }) => msg.includes("bug"))).toBe(false);
    await expectPromisesHold(host, rotation, "made");
  });
});
