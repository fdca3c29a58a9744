import type { Db } from "./database.ts";
import { columnsOf } from "./rows.ts";

/** What the ledger remembers of a credential beside its keys. */
export interface CredentialState {
  readonly name: string;
  readonly firstSeenAt: number;
  readonly pausedAt: number | null;
  readonly pausedBy: string | null;
  readonly retiredAt: number | null;
}

export function openCredentials(db: Db) {
  const credentials = `select ${columnsOf(db, "credentials")} from credentials`;
  const statements = {
    add: db.prepare("insert into credentials (name, first_seen_at) values (?, ?) on conflict (name) do nothing"),
    one: db.prepare<[string], CredentialState>(`${credentials} where name = +?`),
    pausedAt: db.prepare<[string], number | null>("select paused_at from credentials where name = +?").pluck(),
    all: db.prepare<[], CredentialState>(`${credentials} order by name`),
    pause: db.prepare("update credentials set paused_at = coalesce(paused_at, ?), paused_by = coalesce(paused_by, ?) where name = +?"),
    resume: db.prepare("update credentials set paused_at = null, paused_by = null where name = +?"),
    retire: db.prepare("update credentials set retired_at = ? where name = +?"),
  };
  return {
    /** Whether it was seen for the first time. */
    add: (name: string, now: number): boolean => statements.add.run(name, now).changes === 1,
    get: (name: string): CredentialState | undefined => statements.one.get(name),
    isPaused: (name: string): boolean => statements.pausedAt.get(name) != null,
    all: (): CredentialState[] => statements.all.all(),
    pause: (name: string, now: number, actor: string): void => void statements.pause.run(now, actor, name),
    resume: (name: string): void => void statements.resume.run(name),
    retire: (name: string, now: number | null): void => void statements.retire.run(now, name),
  };
}
