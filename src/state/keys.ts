import type { Call, Intent, Key } from "../model.ts";
import type { Db } from "./database.ts";
import { columnsOf, type Stored, toParameters } from "./rows.ts";
import { openUpdate } from "./update.ts";

export type NewKey = Omit<Key, "id">;

/** What may change in a key's row; who it belongs to may not. */
export type KeyPatch = Partial<Omit<Key, "id" | "credential" | "provider" | "version" | "vendorId" | "createdAt">>;

type IntentRow = Stored<Intent, "known" | "refused">;

/** Keys, intents and calls. Writes happen inside a transaction of the ledger. */
export function openKeys(db: Db) {
  const update = openUpdate(db, "keys");
  const keys = `select ${columnsOf(db, "keys")} from keys`;
  const intents = `select ${columnsOf(db, "intents")} from intents`;
  const statements = {
    insert: db.prepare<[NewKey]>(`
      insert into keys (credential, provider, version, vendor_id, stage, fingerprint, created_at, expires_at, promoted_at,
                        disabled_at, revoke_announced_at, revoked_at, left_at, probed_at, dead_at)
      values (@credential, @provider, @version, @vendorId, @stage, @fingerprint, @createdAt, @expiresAt, @promotedAt,
              @disabledAt, @revokeAnnouncedAt, @revokedAt, @leftAt, @probedAt, @deadAt)`),
    one: db.prepare<[number], Key>(`${keys} where id = +?`),
    ofCredential: db.prepare<[string], Key>(`${keys} where credential = +? order by id`),
    live: db.prepare<[string], Key>(`${keys} where credential = +? and stage <> 'dead' order by id`),
    withFingerprint: db.prepare<[string, string], Key>(`${keys} where credential = +? and fingerprint = +? order by id desc limit 1`),
    fingerprinted: db.prepare<[string], Key>(`${keys} where fingerprint = +? order by id`),
    byVendorId: db.prepare<[string, string], Key>(`${keys} where provider = +? and vendor_id = +? order by id`),
    liveAt: db.prepare<[string], Key>(`${keys} where provider = +? and stage <> 'dead' order by id`),
    indebted: db
      .prepare<[], string>(
        "select credential from keys where stage in ('pending', 'retiring') union select credential from intents where closed_at is null",
      )
      .pluck(),

    openIntents: db.prepare<[string], IntentRow>(`${intents} where credential = +? and closed_at is null order by announced_at`),
    openIntentsAt: db.prepare<[string], IntentRow>(`${intents} where provider = +? and closed_at is null order by announced_at`),
    insertIntent: db.prepare(
      "insert into intents (label, credential, provider, rotation, announced_at, known) values (@label, @credential, @provider, @rotation, @announcedAt, @known)",
    ),
    refuseIntent: db.prepare("update intents set refused = 1 where label = +?"),
    closeIntent: db.prepare("update intents set closed_at = ? where label = +? and closed_at is null"),

    insertCall: db.prepare(`
      insert into calls (credential, rotation, kind, label, key, announced_at, open_until)
      values (@credential, @rotation, @kind, @label, @key, @announcedAt, @openUntil)`),
    answerCall: db.prepare("update calls set answered_at = ? where id = +? and answered_at is null"),
    reopenCalls: db.prepare(`
      update calls set open_until = @now + open_until - announced_at, announced_at = @now
      where answered_at is null and announced_at > +@now`),
    pullProbes: db.prepare("update keys set probed_at = @now where probed_at > +@now"),
    openUntil: db
      .prepare<[string, number], number | null>(
        "select max(open_until) from calls where credential = +? and answered_at is null and open_until > +?",
      )
      .pluck(),
    lastCallForLabel: db.prepare<[string], Call>(`select ${columnsOf(db, "calls")} from calls where label = +? order by id desc limit 1`),
  };

  return {
    insert: (key: NewKey): number => Number(statements.insert.run(key).lastInsertRowid),
    update: (id: number, patch: KeyPatch): void => update(id, patch),
    get: (id: number): Key | undefined => statements.one.get(id),
    /** Every key this credential ever had, oldest first. */
    all: (credential: string): Key[] => statements.ofCredential.all(credential),
    /** Its keys that are not dead. */
    live: (credential: string): Key[] => statements.live.all(credential),
    /** The newest of its keys that has this fingerprint, dead ones too. */
    withFingerprint: (credential: string, fingerprint: string): Key | undefined => statements.withFingerprint.get(credential, fingerprint),
    /** The credentials that have keys which are to be made dead, or shall serve, or a create call that may have made one. */
    indebted: (): string[] => statements.indebted.all(),
    /** The rows of any credential that hold this key of the vendor. */
    byVendorId: (provider: string, vendorId: string): Key[] => statements.byVendorId.all(provider, vendorId),
    /** The rows of any credential with this fingerprint, dead ones too. */
    fingerprinted: (fingerprint: string): Key[] => statements.fingerprinted.all(fingerprint),
    /** The keys of all credentials at a provider that are not dead. */
    liveAt: (provider: string): Key[] => statements.liveAt.all(provider),

    openIntents: (credential: string): Intent[] => statements.openIntents.all(credential).map(toIntent),
    openIntentsAt: (provider: string): Intent[] => statements.openIntentsAt.all(provider).map(toIntent),
    insertIntent: (intent: Omit<Intent, "refused" | "closedAt">): void => void statements.insertIntent.run(toParameters(intent)),
    refuseIntent: (label: string): void => void statements.refuseIntent.run(label),
    closeIntent: (label: string, now: number): void => void statements.closeIntent.run(now, label),

    insertCall: (call: Omit<Call, "id" | "answeredAt"> & { rotation: number | null }): number =>
      Number(statements.insertCall.run(call).lastInsertRowid),
    answerCall: (id: number, now: number): void => void statements.answerCall.run(now, id),
    /** Calls without an answer that were announced after `now`, before the clock went back, are as if they left now. */
    reopenCalls: (now: number): void => void statements.reopenCalls.run({ now }),
    /** Probes of ours that were made after `now`, before the clock went back, are as if they were made now. */
    pullProbes: (now: number): void => void statements.pullProbes.run({ now }),
    /** When the last call that was announced and has no answer can no longer take effect; `undefined` when none may at `now`. */
    openUntil: (credential: string, now: number): number | undefined => statements.openUntil.get(credential, now) ?? undefined,
    /** The create call of an intent. */
    createCall: (label: string): Call | undefined => statements.lastCallForLabel.get(label),
  };
}

const toIntent = (row: IntentRow): Intent => ({
  ...row,
  known: row.known === null ? null : JSON.parse(row.known),
  refused: row.refused === 1,
});
