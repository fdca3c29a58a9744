import { describe, expect, test } from "vitest";
import type { Db } from "../../src/state/database.ts";
import type { Ledger } from "../../src/state/ledger.ts";
import { memoryLedger, newKey, startRotation } from "./fixture.ts";

/** What the schema refuses, whatever code writes it. */
interface Rule {
  readonly name: string;
  readonly refusal: RegExp;
  /** What must be there first. */
  readonly given?: (ledger: Ledger) => void;
  readonly write: (db: Db, ledger: Ledger) => unknown;
}

const aKey = (ledger: Ledger) => void ledger.keys.insert(newKey({ stage: "current", promotedAt: 1 }));
const aRotation = (ledger: Ledger) => void startRotation(ledger, "request-1");
const change = (set: string) => (db: Db) => db.exec(`update rotations set ${set}`);
const changeKey = (set: string) => (db: Db) => db.exec(`update keys set ${set}`);
const call = (kind: string, label: string, key: string) => (db: Db) =>
  db.exec(`insert into calls (credential, kind, label, key, announced_at, open_until) values ('main', '${kind}', ${label}, ${key}, 1, 2)`);

const RULES: readonly Rule[] = [
  {
    name: "two open rotations of one credential",
    refusal: /UNIQUE.*rotations\.credential/,
    given: aRotation,
    write: (_, { rotations, rotation }) => rotations.insert({ ...rotation(1), idempotencyKey: null }),
  },
  {
    name: "two rotations of one request",
    refusal: /UNIQUE.*idempotency_key/,
    given: (ledger) => {
      aRotation(ledger);
      ledger.know("other");
    },
    write: (_, { rotations, rotation }) => rotations.insert({ ...rotation(1), credential: "other", idempotencyKey: "request-1" }),
  },
  { name: "an open rotation that never goes on", refusal: /CHECK/, given: aRotation, write: change("due_at = null") },
  { name: "an outcome without its time", refusal: /CHECK/, given: aRotation, write: change("outcome = 'done', due_at = null") },
  { name: "an end that is due again", refusal: /CHECK/, given: aRotation, write: change("outcome = 'done', ended_at = 5") },
  {
    name: "an end that is stuck",
    refusal: /CHECK/,
    given: aRotation,
    write: change("outcome = 'done', ended_at = 5, due_at = null, stuck_reason = 'a', stuck_hint = 'b'"),
  },
  { name: "stuck without a hint", refusal: /CHECK/, given: aRotation, write: change("stuck_reason = 'a'") },
  { name: "an unknown outcome", refusal: /CHECK/, given: aRotation, write: change("outcome = 'well', ended_at = 5, due_at = null") },
  { name: "an end as abandoned by itself", refusal: /CHECK/, given: aRotation, write: change("ends_as = 'abandoned'") },
  { name: "an unknown trigger", refusal: /CHECK/, given: aRotation, write: change("trigger = 'moon'") },
  { name: "a fourth intent", refusal: /CHECK/, given: aRotation, write: change("intents = 4") },
  { name: "a plan that is no JSON", refusal: /CHECK/, given: aRotation, write: change("plan = 'routine'") },
  { name: "a memo that is no JSON", refusal: /CHECK/, given: aRotation, write: change("memo = '{'") },
  { name: "a text for a time", refusal: /cannot store TEXT/, given: aRotation, write: change("due_at = 'soon'") },
  { name: "a target that is not in the ledger", refusal: /FOREIGN KEY/, given: aRotation, write: change("target = 99") },
  {
    name: "a rotation of an unknown credential",
    refusal: /FOREIGN KEY/,
    given: aRotation,
    write: (_, { rotations, rotation }) => rotations.insert({ ...rotation(1), credential: "nobody", idempotencyKey: null }),
  },
  {
    name: "two current keys of one credential",
    refusal: /UNIQUE.*keys\.credential/,
    given: aKey,
    write: (_, { keys }) => keys.insert(newKey({ vendorId: "key_2", stage: "current", promotedAt: 1 })),
  },
  {
    name: "one key of the vendor twice under a credential",
    refusal: /UNIQUE.*vendor_id/,
    given: aKey,
    write: (_, { keys }) => keys.insert(newKey({ version: "another" })),
  },
  {
    name: "one version of two keys",
    refusal: /UNIQUE.*keys\.version/,
    given: aKey,
    write: (_, { keys }) => keys.insert(newKey({ vendorId: "key_2", version: newKey().version })),
  },
  { name: "an unknown stage", refusal: /CHECK/, given: aKey, write: changeKey("stage = 'idle'") },
  { name: "a current key that was never promoted", refusal: /CHECK/, given: aKey, write: changeKey("promoted_at = null") },
  { name: "a serving key whose revoke is announced", refusal: /CHECK/, given: aKey, write: changeKey("revoke_announced_at = 5") },
  {
    name: "a pending key whose revoke is announced",
    refusal: /CHECK/,
    given: ({ keys }) => void keys.insert(newKey()),
    write: changeKey("revoke_announced_at = 5"),
  },
  { name: "a dead key without the time of its death", refusal: /CHECK/, given: aKey, write: changeKey("stage = 'dead'") },
  { name: "the time of death of a key that lives", refusal: /CHECK/, given: aKey, write: changeKey("dead_at = 5") },
  { name: "a create call without a label", refusal: /CHECK/, write: call("create", "null", "null") },
  { name: "a create call with a key", refusal: /CHECK/, given: aKey, write: call("create", "'a'", "1") },
  { name: "a revoke call without a key", refusal: /CHECK/, write: call("revoke", "null", "null") },
  { name: "a call of an unknown kind", refusal: /CHECK/, given: aKey, write: call("borrow", "null", "1") },
  {
    name: "one label of two intents",
    refusal: /UNIQUE.*intents\.label/,
    given: aRotation,
    write(_, { keys }) {
      for (let n = 0; n < 2; n += 1)
        keys.insertIntent({ label: "a", credential: "main", provider: "openai", rotation: 1, announcedAt: 1, known: null });
    },
  },
  { name: "a change of history", refusal: /append-only/, write: (db) => db.exec("update events set code = 'other'") },
  { name: "a hole in history", refusal: /append-only/, write: (db) => db.exec("delete from events") },
  { name: "paused by nobody", refusal: /CHECK/, write: (db) => db.exec("update credentials set paused_at = 5") },
  {
    name: "a second installation",
    refusal: /UNIQUE|CHECK/,
    given: (ledger) => void ledger.installation("1-1", () => "abcdef"),
    write: (db) => db.exec("insert into installation (only_one, id) values (2, 'ghijkl')"),
  },
];

describe("the schema refuses", () => {
  test.each(RULES)("$name", ({ given, write, refusal }) => {
    const { db, ledger } = memoryLedger();
    given?.(ledger);
    expect(() => write(db, ledger)).toThrow(refusal);
  });
});
