import { expect, test } from "vitest";
import type { Call, Event, Intent, Key, Rotation } from "../../src/model.ts";
import { columnOf } from "../../src/state/rows.ts";
import { memoryLedger } from "./fixture.ts";

const { db } = memoryLedger();

/** The whole schema after all migrations. A migration shows up here as a diff: `vitest run test/state/schema.test.ts --update`. */
test("the schema is the one in schema.sql", async () => {
  const rows = db.prepare("select sql from sqlite_schema where sql is not null order by tbl_name, type desc, name").all() as {
    sql: string;
  }[];
  const version = db.pragma("user_version", { simple: true });
  await expect(`-- schema ${version}\n\n${rows.map(({ sql }) => `${sql};`).join("\n\n")}\n`).toMatchFileSnapshot("schema.sql");
});

function columnsOf(table: string): string[] {
  return (db.pragma(`table_info(${table})`) as { name: string }[]).map(({ name }) => name);
}

type Fields<T> = Readonly<Record<keyof T, null>>;

// The compiler holds these lists against the model; the tests hold them against the tables.
const KEY: Fields<Key> = {
  id: null,
  credential: null,
  provider: null,
  version: null,
  vendorId: null,
  stage: null,
  fingerprint: null,
  createdAt: null,
  expiresAt: null,
  promotedAt: null,
  disabledAt: null,
  revokeAnnouncedAt: null,
  revokedAt: null,
  leftAt: null,
  probedAt: null,
  deadAt: null,
};
const INTENT: Fields<Intent> = {
  label: null,
  credential: null,
  provider: null,
  rotation: null,
  announcedAt: null,
  known: null,
  refused: null,
  closedAt: null,
};
const CALL: Fields<Call> = {
  id: null,
  credential: null,
  kind: null,
  label: null,
  key: null,
  announcedAt: null,
  openUntil: null,
  answeredAt: null,
};
const ROTATION: Fields<Rotation> = {
  id: null,
  credential: null,
  plan: null,
  step: null,
  trigger: null,
  actor: null,
  reason: null,
  target: null,
  old: null,
  dueAt: null,
  outcome: null,
  endsAs: null,
  stuckReason: null,
  stuckHint: null,
  forwardOnly: null,
  cancelRequested: null,
  attempts: null,
  troubleSince: null,
  intents: null,
  startedAt: null,
  stepSince: null,
  reloadedAt: null,
  validatedAt: null,
  lastCode: null,
  lastError: null,
  endedAt: null,
  memo: null,
};
const EVENT: Fields<Event> = { id: null, at: null, credential: null, rotation: null, step: null, code: null, detail: null };

test.each([
  ["keys", KEY, []],
  ["intents", INTENT, []],
  ["calls", CALL, ["rotation"]],
  ["rotations", ROTATION, ["idempotency_key"]],
  ["events", EVENT, []],
])("%s has the columns of the model", (table, fields, beside) => {
  expect(columnsOf(table).toSorted()).toEqual([...Object.keys(fields).map(columnOf), ...beside].toSorted());
});

test("no column is made for a secret", () => {
  const tables = (db.prepare("select name from sqlite_schema where type = 'table'").all() as { name: string }[]).map(({ name }) => name);
  expect(tables.flatMap(columnsOf).filter((name) => /secret|token|password|value|private|authorization/.test(name))).toEqual([]);
});

test("every table is strict", () => {
  const loose = (db.pragma("table_list") as { name: string; schema: string; strict: number }[]).filter(
    ({ name, schema, strict }) => schema === "main" && !name.startsWith("sqlite_") && strict === 0,
  );
  expect(loose).toEqual([]);
});
