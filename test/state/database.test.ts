import { spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { DatabaseError, openDatabase } from "../../src/state/database.ts";
import { openStateDirectory } from "../../src/state/directory.ts";
import { MIGRATIONS, reading } from "./fixture.ts";

let directory = "";
const path = () => join(directory, "rotated.db");
const random = (bytes: number) => new Uint8Array(bytes).fill(7);
const LATEST = readdirSync(MIGRATIONS).filter((name) => name.endsWith(".sql")).length;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "rotated-state-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

function refusal(work: () => unknown): DatabaseError {
  try {
    work();
  } catch (error) {
    if (error instanceof DatabaseError) return error;
    throw error;
  }
  throw new Error("it was not refused");
}

/** The migrations with one more, in a directory of its own. */
function withMigration(sql: string): URL {
  const copy = join(directory, "migrations");
  cpSync(fileURLToPath(MIGRATIONS), copy, { recursive: true });
  writeFileSync(join(copy, "9999-next.sql"), sql);
  return pathToFileURL(`${copy}/`);
}

test("every commit is synced, and the settings of the connection say so", () => {
  const db = openDatabase(path(), MIGRATIONS);
  const pragma = (name: string) => db.pragma(name, { simple: true });
  expect(["journal_mode", "synchronous", "foreign_keys", "locking_mode"].map(pragma)).toEqual(["wal", 2, 1, "exclusive"]);
  db.close();
});

const strace = existsSync("/usr/bin/strace") && spawnSync("strace", ["-e", "trace=none", "true"]).status === 0;

test.skipIf(!strace)(`an announcement is on disk before it returns${strace ? "" : " (skipped: no strace)"}`, { timeout: 120_000 }, () => {
  const trace = join(directory, "trace");
  const program = fileURLToPath(new URL("announce-main.ts", import.meta.url));
  const args = ["-f", "-qq", "-o", trace, "-e", "trace=fsync,fdatasync,write", process.execPath, program, path()];
  const { status, stderr } = spawnSync("strace", args, { encoding: "utf8" });
  expect(status, stderr).toBe(0);
  const calls = spawnSync("grep", ["-E", "fsync|fdatasync|MARK", trace], { encoding: "utf8" }).stdout.split("\n");
  const marks = calls.flatMap((line, index) => (line.includes("MARK") ? [index] : []));
  expect(marks, "a mark before the first and after each announcement").toHaveLength(6);
  for (const [n, mark] of marks.slice(1).entries()) {
    const between = calls.slice((marks[n] ?? 0) + 1, mark);
    expect(between.filter((line) => /f(data)?sync\(/.test(line)).length, `announcement ${n + 1}`).toBeGreaterThanOrEqual(1);
  }
});

test("a broken migration leaves the version from before, and all that was in it", () => {
  openDatabase(path(), MIGRATIONS).close();
  const broken = withMigration("create table half_done (id integer primary key) strict; insert into nowhere values (1);");
  expect(() => openDatabase(path(), broken)).toThrow(/no such table: nowhere/);
  reading(path(), (db) => {
    expect(db.pragma("user_version", { simple: true })).toBe(LATEST);
    expect(db.prepare("select name from sqlite_schema where name = 'half_done'").all()).toEqual([]);
  });
  expect(() => openDatabase(path(), MIGRATIONS).close(), "the version from before goes on").not.toThrow();
});

test("only what is missing is applied", () => {
  const db = openDatabase(path(), MIGRATIONS);
  db.prepare("insert into credentials (name, first_seen_at) values ('main', 1)").run();
  db.close();
  const after = openDatabase(path(), withMigration("alter table credentials add column note text;"));
  expect(after.prepare("select name, note from credentials").all()).toEqual([{ name: "main", note: null }]);
  expect(after.pragma("user_version", { simple: true })).toBe(LATEST + 1);
  after.close();
});

test("a ledger of a newer version is left alone", () => {
  openDatabase(path(), withMigration("create table newer (id integer primary key) strict;")).close();
  const error = refusal(() => openDatabase(path(), MIGRATIONS));
  expect(error.message).toBe(`${path()}: schema ${LATEST + 1} was written by a newer version of rotated; this one knows ${LATEST}`);
  expect(error.hint).toBe("install the newer version again, or restore the backup from before the upgrade");
  expect(reading(path(), (db) => db.pragma("user_version", { simple: true }))).toBe(LATEST + 1);
});

test("two cannot have it open", () => {
  const first = openDatabase(path(), MIGRATIONS);
  const error = refusal(() => openDatabase(path(), MIGRATIONS));
  expect(error.message).toBe(`${path()}: cannot open the ledger: another process has it open`);
  expect(error.hint).toBe("only one daemon may use a state directory; stop the other one");
  expect(() => first.prepare("select count(*) from keys").get(), "the first goes on").not.toThrow();
  first.close();
});

test("a file that is no ledger is told, and not overwritten", () => {
  writeFileSync(path(), "this is not a database, and long enough to be looked at as one".repeat(100));
  const error = refusal(() => openDatabase(path(), MIGRATIONS));
  expect(error).toMatchObject({
    message: `${path()}: cannot open the ledger: it is not a database, or damaged`,
    hint: "restore the last backup of the state directory",
  });
});

test("a damaged page is told at the start, not when it is first read in the middle of a rotation", () => {
  const ledger = openDatabase(path(), MIGRATIONS);
  const root = ledger.prepare("select rootpage from sqlite_schema where name = 'events'").pluck().get() as number;
  const size = ledger.pragma("page_size", { simple: true }) as number;
  ledger.close();
  const file = readFileSync(path());
  writeFileSync(path(), file.fill("x", (root - 1) * size, root * size));
  const error = refusal(() => openDatabase(path(), MIGRATIONS));
  expect(error).toMatchObject({
    message: `${path()}: cannot open the ledger: it is not a database, or damaged`,
    hint: "restore the last backup of the state directory",
  });
});

test("a state directory that cannot be made is told", () => {
  writeFileSync(join(directory, "file"), "");
  const error = refusal(() => openStateDirectory(join(directory, "file/state"), random));
  expect(error.message).toBe(`${join(directory, "file/state")}: cannot use the state directory: ENOTDIR`);
  expect(error.hint).toContain("owner and mode");
});

test("the directory is ours alone, and the key of the fingerprints is made once", () => {
  const state = join(directory, "state");
  const first = openStateDirectory(state, random).fingerprintKey(false);
  expect(statSync(state).mode & 0o777).toBe(0o700);
  expect(statSync(join(state, "fingerprint.key")).mode & 0o777).toBe(0o600);
  openDatabase(join(state, "rotated.db"), MIGRATIONS).close();
  chmodSync(state, 0o755);
  const again = openStateDirectory(state, () => new Uint8Array(32).fill(9)).fingerprintKey(true);
  expect(again.equals(first)).toBe(true);
  expect(statSync(state).mode & 0o777, "closed again").toBe(0o700);
});

test("a copy of the ledger is another file, also under the same name", () => {
  const opened = openStateDirectory(directory, random);
  openDatabase(path(), MIGRATIONS).close();
  const before = opened.databaseFile();
  openDatabase(path(), MIGRATIONS).close();
  expect(opened.databaseFile()).toBe(before);
  cpSync(path(), join(directory, "backup.db"));
  renameSync(join(directory, "backup.db"), path());
  expect(opened.databaseFile()).not.toBe(before);
});

test("a directory that others share is not closed to them, but refused; an empty one is taken", () => {
  const shared = join(directory, "lib");
  mkdirSync(shared);
  chmodSync(shared, 0o755);
  writeFileSync(join(shared, "of-somebody-else"), "");
  const error = refusal(() => openStateDirectory(shared, random));
  expect(error.message).toBe(`${shared}: not the state directory of rotated: other things are in it, and others may open it`);
  expect(error.hint).toContain(`chmod 700 ${shared}`);
  expect(statSync(shared).mode & 0o777).toBe(0o755);
  rmSync(join(shared, "of-somebody-else"));
  openStateDirectory(shared, random);
  expect(statSync(shared).mode & 0o777).toBe(0o700);
});

test("a key that is missing beside fingerprints is told each time, and not made anew", () => {
  for (let n = 0; n < 2; n += 1) {
    const error = refusal(() => openStateDirectory(directory, random).fingerprintKey(true));
    expect(error.message).toBe(`${directory}: fingerprint.key is missing, and the ledger has fingerprints made with it`);
    expect(error.hint).toBe("restore both from the same backup");
  }
  expect(readdirSync(directory)).toEqual([]);
});

test("a key without its ledger is told: a new ledger would know none of the keys that live at vendors", () => {
  const key = join(directory, "fingerprint.key");
  openStateDirectory(directory, random).fingerprintKey(false);
  const error = refusal(() => openStateDirectory(directory, random));
  expect(error.message).toBe(`${directory}: rotated.db is missing, and its fingerprint.key is there`);
  expect(error.hint).toBe(`restore both from the same backup; to begin anew, with every key unknown: mv ${key} ${key}.old`);
  renameSync(key, `${key}.old`);
  openStateDirectory(directory, random);
});

test("a damaged fingerprint key is told, and not replaced", () => {
  writeFileSync(join(directory, "fingerprint.key"), "half of i");
  openDatabase(join(directory, "rotated.db"), MIGRATIONS).close();
  const error = refusal(() => openStateDirectory(directory, random).fingerprintKey(false));
  expect(error.message).toBe(`${join(directory, "fingerprint.key")}: not a fingerprint key`);
  expect(error.hint).toBe("restore it from the backup that the ledger is from");
});
