import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { describe, expect, test } from "vitest";
import { DatabaseError, openDatabase } from "../../src/state/database.ts";
import { type Ledger, openLedger } from "../../src/state/ledger.ts";
import { MIGRATIONS, memoryLedger, NOW, newKey, startRotation } from "./fixture.ts";

test("a turn is committed whole or not at all", () => {
  const { db, ledger } = memoryLedger();
  const { rotation } = startRotation(ledger);
  const id = ledger.keys.insert(newKey());
  const announced = ledger.announce(rotation, "openai", { kind: "create", label: "label-1", openUntil: NOW + 1 });
  const before = dump(db);
  const turn = {
    newKey: { ...newKey({ vendorId: "key_2" }), asTarget: true },
    keys: [{ id, set: { stage: "retiring" as const } }],
    closeIntents: ["label-1"],
    answeredCalls: [announced?.id ?? 0],
    rotation: { step: "verify" as const },
  };

  // The last thing that is written is refused: an event whose detail is no JSON.
  expect(() => ledger.commit(rotation, { ...turn, events: [{ code: "keyCreated", detail: { bad: 1n } }] })).toThrow();
  expect(dump(db), "nothing of it is there").toEqual(before);
  expect(ledger.rotation(rotation.id), "nor is it remembered").toMatchObject({ step: "preflight", target: null, intents: 1 });

  const after = ledger.commit(rotation, { ...turn, events: [{ code: "keyCreated" }] });
  expect(after).toMatchObject({ step: "verify", target: 2 });
  expect(ledger.keys.get(id)?.stage).toBe("retiring");
  expect(ledger.keys.openIntents("main")).toEqual([]);
  expect(ledger.keys.openUntil("main", NOW)).toBeUndefined();
  expect(ledger.events.ofRotation(rotation.id, 0).map(({ code }) => code)).toEqual(["started", "intentMade", "keyCreated"]);
});

test("what an operator did outside of a rotation is written whole or not at all", () => {
  const { db, ledger } = memoryLedger();
  const before = dump(db);
  const write = () => ledger.credentials.pause("main", NOW, "somebody");
  expect(() => ledger.record("main", [{ code: "operatorSaid", detail: { bad: 1n } }], write)).toThrow();
  expect(dump(db)).toEqual(before);
});

test("an announcement counts as begun: the intent, the call and the key's row say so together", () => {
  const { ledger } = memoryLedger();
  const { rotation } = startRotation(ledger);
  const create = ledger.announce(rotation, "openai", { kind: "create", label: "label-1", openUntil: NOW + 60_000 });
  expect(ledger.keys.openIntents("main")).toMatchObject([{ label: "label-1", closedAt: null, refused: false }]);
  expect(ledger.keys.createCall("label-1")).toMatchObject(create ?? {});
  expect(ledger.rotation(rotation.id).intents).toBe(1);

  const key = ledger.keys.insert(newKey());
  ledger.announce(rotation, "openai", { kind: "promote", key, openUntil: NOW + 60_000 });
  expect(ledger.keys.get(key)?.promotedAt).toBe(NOW);
  ledger.keys.update(key, { stage: "retiring" });
  ledger.announce(rotation, "openai", { kind: "disable", key, openUntil: NOW + 60_000 });
  ledger.announce(rotation, "openai", { kind: "revoke", key, openUntil: NOW + 60_000 });
  expect(ledger.keys.get(key)).toMatchObject({ disabledAt: NOW, revokeAnnouncedAt: NOW, revokedAt: null });
  expect(ledger.keys.openUntil("main", NOW)).toBe(NOW + 60_000);
  expect(ledger.keys.openUntil("main", NOW + 60_000), "open for so long only").toBeUndefined();
});

test("a revoke of a key that serves cannot even be announced", () => {
  const { ledger } = memoryLedger();
  const { rotation } = startRotation(ledger);
  const key = ledger.keys.insert(newKey({ stage: "current", promotedAt: NOW }));
  expect(() => ledger.announce(rotation, "openai", { kind: "revoke", key, openUntil: NOW + 1 })).toThrow(/CHECK/);
  expect(ledger.keys.openUntil("main", NOW)).toBeUndefined();
});

test("refused intents do not count; they close like any other", () => {
  const { ledger } = memoryLedger();
  let { rotation } = startRotation(ledger);
  ledger.announce(rotation, "openai", { kind: "create", label: "label-1", openUntil: NOW + 1 });
  rotation = ledger.commit(rotation, { refusedIntents: ["label-1"] });
  expect(rotation.intents).toBe(0);
  expect(ledger.keys.openIntents("main")).toMatchObject([{ refused: true }]);
});

test("the same request, and a second trigger, start one rotation", () => {
  const { ledger } = memoryLedger();
  const first = startRotation(ledger, "request-1");
  expect(first.started).toBe(true);
  expect(startRotation(ledger, "request-2")).toEqual({ rotation: first.rotation, started: false });
  ledger.commit(first.rotation, { rotation: { outcome: "done", endedAt: NOW, dueAt: null } });
  expect(startRotation(ledger, "request-1").rotation.id, "also when it is over").toBe(first.rotation.id);
  expect(startRotation(ledger, "request-3").started).toBe(true);
});

test("the installation's id of before an upgrade is kept", () => {
  const { ledger, db } = memoryLedger();
  db.exec("insert into installation (only_one, id) values (1, 'abcdef')");
  expect(ledger.installation("1-1", () => "ghijkl")).toBe("abcdef");
  expect(ledger.installation("2-1", () => "ghijkl")).toBe("ghijkl");
});

test("the installation's id is made once, and anew in a copy of the database", () => {
  const { ledger } = memoryLedger();
  expect(ledger.installation("1-1", () => "abcdef")).toBe("abcdef");
  expect(ledger.installation("1-1", () => "ghijkl")).toBe("abcdef");
  expect(ledger.installation("2-1", () => "ghijkl")).toBe("ghijkl");
  expect(ledger.installation("2-1", () => "mnopqr")).toBe("ghijkl");
});

test("a ledger that cannot be written says why and what to do, and goes on when it can", () => {
  const directory = mkdtempSync(join(tmpdir(), "rotated-ledger-"));
  try {
    const db = openDatabase(join(directory, "rotated.db"), MIGRATIONS);
    const ledger = openLedger(db, { now: () => NOW });
    const pages = db.pragma("page_count", { simple: true }) as number;
    db.pragma(`max_page_count = ${pages}`);
    const fill = () => {
      for (let n = 0; n < 2000; n += 1) ledger.know(`credential-${n}`);
    };
    const error = thrownBy(fill);
    expect(error).toBeInstanceOf(DatabaseError);
    expect(error).toMatchObject({ message: "cannot write the ledger: the disk is full", hint: "free some space; nothing was lost" });
    expect(error.cause).toBeInstanceOf(Database.SqliteError);
    db.pragma("max_page_count = 100000");
    expect(fill).not.toThrow();
    db.close();
  } finally {
    rmSync(directory, { recursive: true });
  }
});

function thrownBy(work: () => unknown): Error {
  try {
    work();
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error("nothing was thrown");
}

function dump(db: Database.Database): unknown {
  return ["credentials", "rotations", "keys", "calls", "intents", "events"].map((table) => db.prepare(`select * from ${table}`).all());
}

describe("a vendor with two places", () => {
  const room = (taken: readonly string[], unlistedSince = NOW - 1000) => ({ places: 2, taken, unlistedSince });
  const announce = (ledger: Ledger, credential: string, label: string, taken: readonly string[]) => {
    const { rotation } = startRotation(ledger, null, credential);
    return ledger.announce(rotation, "openai", { kind: "create", label, known: taken, room: room(taken), openUntil: NOW + 1000 });
  };

  test("the last one is reserved by the intent, and nothing is written for who comes second", () => {
    const { db, ledger } = memoryLedger();
    ledger.know("second");
    expect(announce(ledger, "main", "label-1", ["key_1"])).toBeDefined();
    const before = dump(db);
    const { rotation } = startRotation(ledger, null, "second");
    const started = dump(db);
    expect(
      ledger.announce(rotation, "openai", { kind: "create", label: "label-2", room: room(["key_1"]), openUntil: NOW }),
    ).toBeUndefined();
    expect(dump(db)).toEqual(started);
    expect(started).not.toEqual(before);
  });

  test.each([
    ["made since the vendor was asked, whatever the vendor's clock says", { createdAt: NOW - 3_600_000 }, false],
    ["so young that the list may not have it", { createdAt: NOW - 500 }, false],
    ["old enough to be listed", { createdAt: NOW - 3_600_000, version: "adopted" }, true],
    ["already revoked", { createdAt: NOW - 500, revokedAt: NOW }, true],
    ["dead", { createdAt: NOW - 500, stage: "dead" as const, deadAt: NOW }, true],
  ])("a key that is not listed takes a place unless it cannot be there: one %s", (_, key, free) => {
    const { ledger } = memoryLedger();
    ledger.know("second");
    const call = announce(ledger, "main", "label-1", []);
    const rotation = ledger.rotation(1);
    ledger.commit(rotation, {
      newKey: { ...newKey({ version: "label-1", ...key }), asTarget: true },
      closeIntents: ["label-1"],
      answeredCalls: [call?.id ?? 0],
    });
    expect(announce(ledger, "second", "label-2", ["key_9"]) !== undefined).toBe(free);
  });
});
