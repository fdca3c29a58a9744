import type { Db } from "./database.ts";

/** What the ledger remembers of a credential beside its keys. */
export interface CredentialState {
  readonly name: string;
  readonly firstSeenAt: number;
  readonly pausedAt: number | null;
  readonly pausedBy: string | null;
  readonly retiredAt: number | null;
}

export function openCredentials(db: Db) {
  const columns = 'name, first_seen_at as "firstSeenAt", paused_at as "pausedAt", paused_by as "pausedBy", retired_at as "retiredAt"';
  const statements = {
    add: db.prepare("insert into credentials (name, first_seen_at) values (?, ?) on conflict (name) do nothing"),
    one: db.prepare(`select ${columns} from credentials where name = +?`),
    all: db.prepare(`select ${columns} from credentials order by name`),
    pause: db.prepare("update credentials set paused_at = coalesce(paused_at, ?), paused_by = coalesce(paused_by, ?) where name = +?"),
    resume: db.prepare("update credentials set paused_at = null, paused_by = null where name = +?"),
    retire: db.prepare("update credentials set retired_at = ? where name = +?"),
  };
  return {
    /** Whether it was seen for the first time. */
    add: (name: string, now: number): boolean => statements.add.run(name, now).changes === 1,
    get: (name: string): CredentialState | undefined => statements.one.get(name) as CredentialState | undefined,
    all: (): CredentialState[] => statements.all.all() as CredentialState[],
    pause: (name: string, now: number, actor: string): void => void statements.pause.run(now, actor, name),
    resume: (name: string): void => void statements.resume.run(name),
    retire: (name: string, now: number | null): void => void statements.retire.run(now, name),
  };
}
