import { expect, test, vi } from "vitest";
import { openDatabase } from "../../src/state/database.ts";
import { openLedger } from "../../src/state/ledger.ts";
import { MIGRATIONS, NOW, newKey } from "./fixture.ts";

/** Every statement that the ledger prepares when it is opened, and the one that a patch of a key needs. */
function prepared(): readonly string[] {
  const db = openDatabase(":memory:", MIGRATIONS);
  const prepare = vi.spyOn(db, "prepare");
  const ledger = openLedger(db, { now: () => NOW });
  ledger.know("main");
  ledger.keys.update(ledger.keys.insert(newKey()), { probedAt: NOW });
  return prepare.mock.calls.map(([statement]) => statement.replaceAll(/\s+/g, " ").trim());
}

// Why: docs/decisions/compiled-once.md.
test("SQLite compiles no statement anew for a value that it is given", () => {
  const choosing = prepared().filter((statement) => / (where|limit) /.test(statement));
  expect(choosing.length).toBeGreaterThan(30);
  const peeked = choosing.filter((statement) => /([=<>]|limit) [?@]/.test(statement.slice(statement.search(/ (where|limit) /))));
  expect(peeked).toEqual([]);
});
