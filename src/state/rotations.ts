import type { Outcome, Rotation } from "../model.ts";
import type { Db } from "./database.ts";
import { toRotation, toRow } from "./rows.ts";
import { openUpdate } from "./update.ts";

/** What a commit may change in a rotation's row. */
export type RotationPatch = Partial<Omit<Rotation, "id" | "credential" | "trigger" | "actor" | "reason" | "old" | "startedAt">> & {
  readonly old?: number | null;
};

export type NewRotation = Pick<Rotation, "credential" | "plan" | "step" | "trigger" | "actor" | "reason" | "old" | "startedAt"> & {
  readonly idempotencyKey: string | null;
};

/** A rehearsal replaces no key: no schedule counts from it. */
const REPLACES = "json_extract(plan, '$.rehearsal') is not true";

/** Rows of rotations. Writes happen inside a transaction of the ledger. */
export function openRotations(db: Db) {
  const update = openUpdate(db, "rotations");
  const statements = {
    insert: db.prepare(`
      insert into rotations (credential, plan, step, trigger, actor, reason, idempotency_key, old, due_at, ends_as, started_at, step_since)
      values (@credential, @plan, @step, @trigger, @actor, @reason, @idempotency_key, @old, @started_at, 'done', @started_at, @started_at)`),
    one: db.prepare("select * from rotations where id = +?"),
    byRequest: db.prepare("select * from rotations where idempotency_key = +?"),
    open: db.prepare("select * from rotations where credential = +? and outcome is null"),
    allOpen: db.prepare("select * from rotations where outcome is null"),
    due: db.prepare("select * from rotations where outcome is null and due_at <= +? order by due_at limit +?"),
    nextDue: db.prepare("select min(due_at) as at from rotations where outcome is null and due_at > +?"),
    lastEnded: db.prepare("select * from rotations where credential = +? and outcome is not null order by ended_at desc, id desc limit 1"),
    lastReplacing: db.prepare(
      `select * from rotations where credential = +? and outcome is not null and ${REPLACES} order by ended_at desc, id desc limit 1`,
    ),
    lastWith: db.prepare(
      `select * from rotations where credential = +? and outcome = +? and ${REPLACES} order by ended_at desc, id desc limit 1`,
    ),
    failuresSince: db.prepare(
      `select count(*) as count from rotations where credential = +? and outcome = 'failed' and ended_at > +? and ${REPLACES}`,
    ),
  };
  const optional = (row: unknown): Rotation | undefined => (row === undefined ? undefined : toRotation(row));

  return {
    insert: (rotation: NewRotation): number => Number(statements.insert.run(toRow(rotation)).lastInsertRowid),
    /** The row as it is now. */
    update(id: number, patch: RotationPatch): Rotation {
      const before = toRotation(statements.one.get(id));
      update(id, changed(before, patch));
      return { ...before, ...patch };
    },
    get: (id: number): Rotation | undefined => optional(statements.one.get(id)),
    byRequest: (key: string): Rotation | undefined => optional(statements.byRequest.get(key)),
    open: (credential: string): Rotation | undefined => optional(statements.open.get(credential)),
    allOpen: (): Rotation[] => statements.allOpen.all().map(toRotation),
    /** Open rotations whose time has come. */
    due: (now: number, limit: number): Rotation[] => statements.due.all(now, limit).map(toRotation),
    /** When the next open rotation is due after `now`. */
    nextDue: (now: number): number | undefined => (statements.nextDue.get(now) as { at: number | null }).at ?? undefined,
    lastEnded: (credential: string): Rotation | undefined => optional(statements.lastEnded.get(credential)),
    /** The last one that ended and was no rehearsal; the two below leave those out, too. */
    lastReplacing: (credential: string): Rotation | undefined => optional(statements.lastReplacing.get(credential)),
    lastWith: (credential: string, outcome: Outcome): Rotation | undefined => optional(statements.lastWith.get(credential, outcome)),
    failuresSince: (credential: string, since: number): number =>
      (statements.failuresSince.get(credential, since) as { count: number }).count,
  };
}

/** The fields of a patch that say something new. Of documents only the same object is known to be the same. */
function changed(before: Rotation, patch: RotationPatch): RotationPatch {
  return Object.fromEntries(Object.entries(patch).filter(([name, value]) => before[name as keyof Rotation] !== value));
}
