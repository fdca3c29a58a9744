import type { Event } from "../model.ts";
import type { Db } from "./database.ts";
import { columnsOf, type Stored } from "./rows.ts";

/** Everything that a history can hold, and what it says to a person. */
export const EVENTS = {
  started: "the rotation started",
  stepDone: "the step is over",
  planChanged: "the rotation goes another way",
  waiting: "the step waits and will be tried again",
  stuck: "a person is needed",
  ended: "the rotation ended",
  intentMade: "a create call is about to leave",
  intentClosed: "no key was found under the intent's label, for longer than the vendor's listing lags",
  keyCreated: "a key was created and staged",
  keyFound: "a key was found at the vendor that an earlier create call had made",
  leftoverLeft: "keys that may come from a lost create call were left to a person",
  keyBrought: "a person brought a key; it waits in the pool",
  keyDrawn: "a key was taken from the pool",
  keyReturned: "the key went back into the pool",
  keyUnfit: "a key of the pool can no longer serve",
  keyVerified: "the vendor accepts the key",
  keyPromoted: "the key is the store's current value",
  consumerReloaded: "the consumer picked the key up",
  consumerProven: "the consumer was seen to use the key",
  runsLeft: "runs that began on the old key are still going",
  keyIdle: "the vendor saw no use of the old key",
  gatePassed: "everything that must be true before an irreversible call was just seen to be true",
  gateClosed: "the gate did not let an irreversible call through",
  keyDisabled: "the key was switched off",
  keyEnabled: "the key was switched on again",
  keyRevoked: "the vendor answered that the key is revoked",
  keySuperseded: "the reload put another value in the key's place: it was its revoke, without an overlap and without the gate",
  gapMeasured: "neither the old value nor the new one was accepted for at most this long",
  keyDead: "the key was proven dead",
  keySettled: "the key was found gone",
  keyReconciled: "the ledger was brought in line with what the store holds",
  adopted: "an existing key was brought under management",
  retired: "the credential was taken out",
  operatorSaid: "an operator asked for something",
  clockJumped: "the wall clock jumped against the monotonic one: the overlap starts anew",
  configured: "the credential was seen for the first time",
} as const satisfies Record<string, string>;

export type EventCode = keyof typeof EVENTS;

/** An event before it is written. `detail` holds names, ids, times and codes; never a secret. */
export interface EventDraft {
  readonly code: EventCode;
  readonly detail?: Readonly<Record<string, unknown>>;
}

/** When an event came about, and in what; `rotation` and `step` are null outside of one. */
type EventOrigin = Pick<Event, "at" | "credential" | "rotation" | "step">;

type EventRow = Stored<Event, "detail">;

/** The append-only history. */
export function openEvents(db: Db) {
  const events = `select ${columnsOf(db, "events")} from events`;
  const newestFirst = "order by id desc limit +?";
  const statements = {
    insert: db.prepare("insert into events (at, credential, rotation, step, code, detail) values (?, ?, ?, ?, ?, ?)"),
    ofCredential: db.prepare<[string, number, number], EventRow>(`${events} where credential = +? and id < +? ${newestFirst}`),
    newest: db.prepare<[number, number], EventRow>(`${events} where id < +? ${newestFirst}`),
    newestOf: db.prepare<[string, EventCode, 1], EventRow>(`${events} where credential = +? and code = +? ${newestFirst}`),
    ofRotation: db.prepare<[number, number, number], EventRow>(`${events} where rotation = +? and id > +? order by id limit +?`),
  };

  return {
    append({ code, detail = {} }: EventDraft, { at, credential, rotation, step }: EventOrigin): void {
      statements.insert.run(at, credential, rotation, step, code, JSON.stringify(detail));
    },
    /** Newest first. */
    history(credential: string | undefined, limit: number, before = Number.MAX_SAFE_INTEGER): Event[] {
      const rows = credential === undefined ? statements.newest.all(before, limit) : statements.ofCredential.all(credential, before, limit);
      return rows.map(toEvent);
    },
    /** The last event of a kind. */
    newestOf(credential: string, code: EventCode): Event | undefined {
      const row = statements.newestOf.get(credential, code, 1);
      return row === undefined ? undefined : toEvent(row);
    },
    /** Oldest first. */
    ofRotation: (rotation: number, after: number, limit = 1000): Event[] => statements.ofRotation.all(rotation, after, limit).map(toEvent),
  };
}

const toEvent = (row: EventRow): Event => ({ ...row, detail: JSON.parse(row.detail) });
