import type { Call, Intent, Key } from "../model.ts";
import type { Db } from "./database.ts";
import { toCall, toIntent, toKey, toRow } from "./rows.ts";
import { openUpdate } from "./update.ts";

export type NewKey = Omit<Key, "id">;

/** What may change in a key's row; who it belongs to may not. */
export type KeyPatch = Partial<Omit<Key, "id" | "credential" | "provider" | "version" | "vendorId" | "createdAt">>;

/** Keys, intents and calls. Writes happen inside a transaction of the ledger. */
export function openKeys(db: Db) {
  const update = openUpdate(db, "keys");
  const statements = {
    insert: db.prepare(`
      insert into keys (credential, provider, version, vendor_id, stage, fingerprint, created_at, expires_at, promoted_at,
                        disabled_at, revoke_announced_at, revoked_at, left_at, probed_at, dead_at)
      values (@credential, @provider, @version, @vendor_id, @stage, @fingerprint, @created_at, @expires_at, @promoted_at,
              @disabled_at, @revoke_announced_at, @revoked_at, @left_at, @probed_at, @dead_at)`),
    one: db.prepare("select * from keys where id = +?"),
    ofCredential: db.prepare("select * from keys where credential = +? order by id"),
    live: db.prepare("select * from keys where credential = +? and stage <> 'dead' order by id"),
    withFingerprint: db.prepare("select * from keys where credential = +? and fingerprint = +? order by id desc limit 1"),
    fingerprinted: db.prepare("select * from keys where fingerprint = +? order by id"),
    byVendorId: db.prepare("select * from keys where provider = +? and vendor_id = +? order by id"),
    openIntents: db.prepare("select * from intents where credential = +? and closed_at is null order by announced_at"),
    insertIntent: db.prepare(
      "insert into intents (label, credential, provider, rotation, announced_at, known) values (@label, @credential, @provider, @rotation, @announced_at, @known)",
    ),
    openIntentsAt: db.prepare("select * from intents where provider = +? and closed_at is null order by announced_at"),
    indebted: db.prepare("select distinct credential from keys where stage in ('pending', 'retiring')").pluck(),
    liveAt: db.prepare("select * from keys where provider = +? and stage <> 'dead' order by id"),
    refuseIntent: db.prepare("update intents set refused = 1 where label = +?"),
    closeIntent: db.prepare("update intents set closed_at = ? where label = +? and closed_at is null"),
    insertCall: db.prepare(`
      insert into calls (credential, rotation, kind, label, key, announced_at, open_until)
      values (@credential, @rotation, @kind, @label, @key, @announced_at, @open_until)`),
    answerCall: db.prepare("update calls set answered_at = ? where id = +? and answered_at is null"),
    openUntil: db.prepare("select max(open_until) as at from calls where credential = +? and answered_at is null and open_until > +?"),
    lastCallForLabel: db.prepare("select * from calls where label = +? order by id desc limit 1"),
  };

  return {
    insert: (key: NewKey): number => Number(statements.insert.run(toRow(key)).lastInsertRowid),
    update: (id: number, patch: KeyPatch): void => update(id, patch),
    get(id: number): Key | undefined {
      const row = statements.one.get(id);
      return row === undefined ? undefined : toKey(row);
    },
    /** Every key this credential ever had, oldest first. */
    all: (credential: string): Key[] => statements.ofCredential.all(credential).map(toKey),
    /** Its keys that are not dead. */
    live: (credential: string): Key[] => statements.live.all(credential).map(toKey),
    /** The newest of its keys that has this fingerprint, dead ones too. */
    withFingerprint(credential: string, fingerprint: string): Key | undefined {
      const row = statements.withFingerprint.get(credential, fingerprint);
      return row === undefined ? undefined : toKey(row);
    },
    /** The credentials that have keys which are to be made dead, or shall serve. */
    indebted: (): string[] => statements.indebted.all() as string[],
    /** The rows of any credential that hold this key of the vendor. */
    byVendorId: (provider: string, vendorId: string): Key[] => statements.byVendorId.all(provider, vendorId).map(toKey),

    /** The rows of any credential with this fingerprint, dead ones too. */
    fingerprinted: (fingerprint: string): Key[] => statements.fingerprinted.all(fingerprint).map(toKey),
    /** The keys of all credentials at a provider that are not dead. */
    liveAt: (provider: string): Key[] => statements.liveAt.all(provider).map(toKey),

    openIntentsAt: (provider: string): Intent[] => statements.openIntentsAt.all(provider).map(toIntent),
    openIntents: (credential: string): Intent[] => statements.openIntents.all(credential).map(toIntent),
    insertIntent: (intent: Omit<Intent, "refused" | "closedAt">): void => void statements.insertIntent.run(toRow(intent)),
    refuseIntent: (label: string): void => void statements.refuseIntent.run(label),
    closeIntent: (label: string, now: number): void => void statements.closeIntent.run(now, label),

    insertCall: (call: Omit<Call, "id" | "answeredAt"> & { rotation: number | null }): number =>
      Number(statements.insertCall.run(toRow(call)).lastInsertRowid),
    answerCall: (id: number, now: number): void => void statements.answerCall.run(now, id),
    /** When the last call that was announced and has no answer can no longer take effect; `undefined` when none may at `now`. */
    openUntil: (credential: string, now: number): number | undefined =>
      (statements.openUntil.get(credential, now) as { at: number | null }).at ?? undefined,
    /** The create call of an intent. */
    createCall(label: string): Call | undefined {
      const row = statements.lastCallForLabel.get(label);
      return row === undefined ? undefined : toCall(row);
    },
  };
}
