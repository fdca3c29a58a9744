import type { Outcome, PinnedPlan, Rotation } from "../model.ts";
import type { Db } from "./database.ts";
import { columnsOf, type Parameters, type Stored, toColumn, toParameters } from "./rows.ts";
import { openUpdate } from "./update.ts";

/** What a commit may change in a rotation's row. */
export type RotationPatch = Partial<Omit<Rotation, "id" | "credential" | "trigger" | "actor" | "reason" | "old" | "startedAt">> & {
  readonly old?: number | null;
};

export type NewRotation = Pick<Rotation, "credential" | "plan" | "step" | "trigger" | "actor" | "reason" | "old" | "startedAt"> & {
  readonly idempotencyKey: string | null;
};

type RotationRow = Stored<Rotation, "plan" | "memo" | "forwardOnly" | "cancelRequested">;

/** A rehearsal replaces no key: no schedule counts from it. */
const REPLACES = "json_extract(plan, '$.rehearsal') is not true";

/** Rows of rotations. Writes happen inside a transaction of the ledger. */
export function openRotations(db: Db) {
  const update = openUpdate(db, "rotations");
  const rotations = `select ${columnsOf(db, "rotations")} from rotations`;
  const ended = `${rotations} where credential = +? and outcome is not null`;
  const newest = "order by ended_at desc, id desc limit 1";
  const statements = {
    insert: db.prepare(`
      insert into rotations (credential, plan, step, trigger, actor, reason, idempotency_key, old, due_at, ends_as, started_at, step_since)
      values (@credential, @plan, @step, @trigger, @actor, @reason, @idempotencyKey, @old, @startedAt, 'done', @startedAt, @startedAt)`),
    one: db.prepare<[number], RotationRow>(`${rotations} where id = +?`),
    byRequest: db.prepare<[string], RotationRow>(`${rotations} where idempotency_key = +?`),
    open: db.prepare<[string], RotationRow>(`${rotations} where credential = +? and outcome is null`),
    allOpen: db.prepare<[], RotationRow>(`${rotations} where outcome is null`),
    due: db.prepare<[number, number], RotationRow>(`${rotations} where outcome is null and due_at <= +? order by due_at limit +?`),
    nextDue: db.prepare<[number], number | null>("select min(due_at) from rotations where outcome is null and due_at > +?").pluck(),
    lastEnded: db.prepare<[string], RotationRow>(`${ended} ${newest}`),
    lastReplacing: db.prepare<[string], RotationRow>(`${ended} and ${REPLACES} ${newest}`),
    lastWith: db.prepare<[string, Outcome], RotationRow>(`${ended} and outcome = +? and ${REPLACES} ${newest}`),
    failuresSince: db
      .prepare<[string, number], number>(
        `select count(*) from rotations where credential = +? and outcome = 'failed' and ended_at > +? and ${REPLACES}`,
      )
      .pluck(),
  };

  /** Open rotations as they are stored: nobody else writes them, and each turn reads its own more than once. */
  const rows = new Map<number, RotationRow>();
  const keep = (row: RotationRow): void => void (row.outcome === null ? rows.set(row.id, row) : rows.delete(row.id));
  const read = (id: number): RotationRow | undefined => {
    const row = rows.get(id) ?? statements.one.get(id);
    if (row !== undefined) keep(row);
    return row;
  };

  return {
    insert: (rotation: NewRotation): number => Number(statements.insert.run(toParameters(rotation)).lastInsertRowid),
    /** Writes what is new in a patch, as it is stored: most of it says nothing new. Answers the row as it is now. */
    update(id: number, patch: RotationPatch): Rotation {
      const before = read(id);
      if (before === undefined) throw new Error(`no rotation ${id}`);
      const changes: Parameters = {};
      for (const [field, value] of Object.entries(patch)) {
        const stored = toColumn(value);
        if (before[field as keyof RotationRow] !== stored) changes[field] = stored;
      }
      update(id, changes);
      const after = { ...before, ...changes } as RotationRow;
      keep(after);
      return toRotation(after, patch.memo);
    },
    /** The transaction in which rows were written came to nothing. */
    forget: (): void => rows.clear(),
    get: (id: number): Rotation | undefined => optional(read(id)),
    byRequest: (key: string): Rotation | undefined => optional(statements.byRequest.get(key)),
    open: (credential: string): Rotation | undefined => optional(statements.open.get(credential)),
    allOpen: (): Rotation[] => statements.allOpen.all().map((row) => toRotation(row)),
    /** Open rotations whose time has come. */
    due: (now: number, limit: number): Rotation[] => statements.due.all(now, limit).map((row) => toRotation(row)),
    /** When the next open rotation is due after `now`. */
    nextDue: (now: number): number | undefined => statements.nextDue.get(now) ?? undefined,
    lastEnded: (credential: string): Rotation | undefined => optional(statements.lastEnded.get(credential)),
    /** The last one that ended and was no rehearsal; the two below leave those out, too. */
    lastReplacing: (credential: string): Rotation | undefined => optional(statements.lastReplacing.get(credential)),
    lastWith: (credential: string, outcome: Outcome): Rotation | undefined => optional(statements.lastWith.get(credential, outcome)),
    failuresSince: (credential: string, since: number): number => statements.failuresSince.get(credential, since) ?? 0,
  };
}

/** Plans that were read lately, by their text: each turn of a rotation reads the same one several times. */
const plans = new Map<string, PinnedPlan>();
const MOST_PLANS = 64;

function toPlan(text: string): PinnedPlan {
  const plan = plans.get(text) ?? (JSON.parse(text) as PinnedPlan);
  if (plans.size >= MOST_PLANS) plans.clear();
  plans.set(text, plan);
  return plan;
}

/** `memo` is given where it is known better than the row knows it. */
function toRotation(row: RotationRow, memo: Rotation["memo"] = JSON.parse(row.memo)): Rotation {
  const { plan, forwardOnly, cancelRequested } = row;
  return {
    ...row,
    plan: toPlan(plan),
    memo,
    forwardOnly: forwardOnly === 1,
    cancelRequested: cancelRequested === 1,
  };
}

const optional = (row: RotationRow | undefined): Rotation | undefined => (row === undefined ? undefined : toRotation(row));
