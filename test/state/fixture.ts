import Database from "better-sqlite3";
import type { PinnedPlan } from "../../src/model.ts";
import { pinPlan } from "../../src/rotation/plans.ts";
import { type Db, openDatabase } from "../../src/state/database.ts";
import type { NewKey } from "../../src/state/keys.ts";
import { type Ledger, openLedger } from "../../src/state/ledger.ts";

export const MIGRATIONS = new URL("../../migrations/", import.meta.url);
export const NOW = Date.parse("2026-11-01T12:00:00Z");

/** A ledger in memory that knows the credential `main`, at a time that stands still. */
export function memoryLedger(now = { at: NOW }): { db: Db; ledger: Ledger } {
  const db = openDatabase(":memory:", MIGRATIONS);
  const ledger = openLedger(db, { now: () => now.at });
  ledger.know("main");
  return { db, ledger };
}

function routine(): PinnedPlan {
  return pinPlan("routine", { supply: "create", consumers: [], overlapMs: 0, preflightUntil: null, now: true });
}

export function startRotation(ledger: Ledger, idempotencyKey: string | null = null, credential = "main") {
  return ledger.start({ credential, plan: routine(), trigger: "operator", actor: "test", reason: null, idempotencyKey });
}

export function newKey(more: Partial<NewKey> = {}): NewKey {
  const vendorId = more.vendorId ?? "key_1";
  return {
    credential: "main",
    provider: "openai",
    version: `rotated-test-${vendorId}`,
    vendorId,
    stage: "pending",
    fingerprint: null,
    createdAt: NOW,
    expiresAt: null,
    promotedAt: null,
    disabledAt: null,
    revokeAnnouncedAt: null,
    revokedAt: null,
    leftAt: null,
    probedAt: null,
    deadAt: null,
    ...more,
  };
}

/** Reads a file of the ledger that no daemon has open. */
export function reading<T>(path: string, ask: (db: Database.Database) => T): T {
  const db = new Database(path, { readonly: true });
  try {
    return ask(db);
  } finally {
    db.close();
  }
}
