import type { Call, CallKind, Key, PinnedPlan, Rotation, Step, Trigger } from "../model.ts";
import { openCredentials } from "./credentials.ts";
import { type Db, explain } from "./database.ts";
import { type EventDraft, openEvents } from "./events.ts";
import { type KeyPatch, type NewKey, openKeys } from "./keys.ts";
import { openRotations, type RotationPatch } from "./rotations.ts";

/** Everything that one turn of a rotation writes, in one transaction. Key edits are applied in their order. */
export interface Commit {
  readonly rotation?: RotationPatch;
  /** A key that now is in the ledger; `asTarget` makes it the rotation's target. */
  readonly newKey?: NewKey & { readonly asTarget: boolean };
  readonly keys?: readonly { readonly id: number; readonly set: KeyPatch }[];
  readonly closeIntents?: readonly string[];
  /** Intents whose create call the vendor answered with a refusal. */
  readonly refusedIntents?: readonly string[];
  /** Announced calls that have their answer now. */
  readonly answeredCalls?: readonly number[];
  readonly events?: readonly EventDraft[];
}

export interface Announcement {
  readonly kind: CallKind;
  /** The label, for a create. */
  readonly label?: string;
  /** For a create at a vendor that keeps no label: the ids that it listed right before. */
  readonly known?: readonly string[];
  /** For a create at a vendor with few places: refused where the intents of other rotations have taken the last one. */
  readonly room?: Room;
  /** The key, for everything else. */
  readonly key?: number;
  readonly openUntil: number;
}

/** The places of an account that the vendor's list leaves free. */
export interface Room {
  readonly places: number;
  /** The vendor's ids that were listed right before. */
  readonly taken: readonly string[];
  /** Since when a key may be missing from the list. */
  readonly unlistedSince: number;
}

export interface StartRequest {
  readonly credential: string;
  readonly plan: PinnedPlan;
  readonly trigger: Trigger;
  readonly actor: string | null;
  readonly reason: string | null;
  readonly idempotencyKey: string | null;
}

/** What an announcement of each kind writes into the key's row: what was announced counts as begun. */
const BEGUN: Readonly<Record<Exclude<CallKind, "create">, (key: Key, now: number) => KeyPatch>> = {
  promote: (key, now) => ({ promotedAt: key.promotedAt ?? now }),
  disable: (_, now) => ({ disabledAt: now }),
  enable: () => ({}),
  revoke: (_, now) => ({ revokeAnnouncedAt: now }),
};

/**
 * The ledger: the only writer of the database. Each of its writing methods is one synced transaction; when it
 * returns, the row survives a power cut. Throws `DatabaseError` when the disk is full or fails: then
 * nothing of it was written.
 */
export function openLedger(db: Db, clock: { now(): number }) {
  const keys = openKeys(db);
  const rotations = openRotations(db);
  const events = openEvents(db);
  const credentials = openCredentials(db);
  const inTransaction = db.transaction((work: () => unknown) => work());
  const transaction = <T>(work: () => T): T => {
    try {
      return inTransaction.immediate(work) as T;
    } catch (error) {
      rotations.forget();
      throw explain(error, "cannot write the ledger");
    }
  };

  const note = ({ credential, id }: Rotation, step: Step | null, drafts: readonly EventDraft[], at: number) => {
    for (const draft of drafts) events.append(draft, { at, credential, rotation: id, step });
  };

  /** Whether a place is left beside what is listed, what was made too lately to be listed, and what others are about to make. */
  const hasRoom = (provider: string, { places, taken, unlistedSince }: Room): boolean => {
    const unlisted = keys.liveAt(provider).filter(({ vendorId, version, createdAt, revokedAt }) => {
      // By our own clock, where it was our call that made it: the vendor's may be off, or coarse.
      const madeAt = Math.max(createdAt, keys.createCall(version)?.answeredAt ?? 0);
      return revokedAt === null && madeAt > unlistedSince && !taken.includes(vendorId);
    });
    return taken.length + unlisted.length + keys.openIntentsAt(provider).length < places;
  };

  return {
    keys,
    rotations,
    events,
    credentials,

    /**
     * This installation's id; made from `fresh` at the first call, and anew when the database is another `file` than then: a copy
     * that was restored must not give out labels of the one that it was taken from.
     */
    installation(file: string, fresh: () => string): string {
      const row = db.prepare("select id, file from installation").get() as { id: string; file: string | null } | undefined;
      if (row?.file === file) return row.id;
      const id = row !== undefined && row.file === null ? row.id : fresh();
      transaction(() => db.prepare("insert or replace into installation (only_one, id, file) values (1, ?, ?)").run(id, file));
      return id;
    },

    /** Makes sure that a credential has a row. */
    know(credential: string): void {
      if (credentials.get(credential) !== undefined) return;
      transaction(() => {
        const at = clock.now();
        if (credentials.add(credential, at)) events.append({ code: "configured" }, { at, credential, rotation: null, step: null });
      });
    },

    /** Starts a rotation, or finds the one that is open or was started by the same request. */
    start(request: StartRequest): { rotation: Rotation; started: boolean } {
      return transaction(() => {
        const known =
          (request.idempotencyKey === null ? undefined : rotations.byRequest(request.idempotencyKey)) ?? rotations.open(request.credential);
        if (known !== undefined) return { rotation: known, started: false };
        const first = request.plan.steps[0];
        if (first === undefined) throw new Error(`plan ${request.plan.name} has no step`);
        const at = clock.now();
        const current = keys.live(request.credential).find((key) => key.stage === "current");
        const id = rotations.insert({ ...request, step: first, old: current?.id ?? null, startedAt: at });
        const rotation = this.rotation(id);
        const { actor, reason, trigger } = request;
        note(rotation, first, [{ code: "started", detail: { plan: request.plan.name, trigger, actor, reason } }], at);
        return { rotation, started: true };
      });
    },

    /** The row of a rotation that exists. */
    rotation(id: number): Rotation {
      const rotation = rotations.get(id);
      if (rotation === undefined) throw new Error(`no rotation ${id}`);
      return rotation;
    },

    /**
     * Writes down that a call is about to leave, of a rotation or of a credential that has none open. Only when this has
     * returned may the request be sent. `undefined` when no place was free: then nothing was written.
     */
    announce(by: Rotation | { readonly credential: string }, provider: string, call: Announcement): Call | undefined {
      return transaction(() => {
        const at = clock.now();
        const { credential } = by;
        const rotation = "plan" in by ? by : undefined;
        if (call.kind === "create") {
          if (call.label === undefined || rotation === undefined) throw new Error("a create call needs its label and its rotation");
          if (call.room !== undefined && !hasRoom(provider, call.room)) return undefined;
          const { label, known = null } = call;
          keys.insertIntent({ label, credential, provider, rotation: rotation.id, announcedAt: at, known });
          rotations.update(rotation.id, { intents: this.rotation(rotation.id).intents + 1 });
          note(rotation, rotation.step, [{ code: "intentMade", detail: { label: call.label } }], at);
        } else {
          const key = call.key === undefined ? undefined : keys.get(call.key);
          if (key === undefined) throw new Error(`a ${call.kind} call needs its key`);
          keys.update(key.id, BEGUN[call.kind](key, at));
        }
        const row = {
          credential,
          kind: call.kind,
          label: call.label ?? null,
          key: call.key ?? null,
          announcedAt: at,
          openUntil: call.openUntil,
        };
        return { ...row, id: keys.insertCall({ ...row, rotation: rotation?.id ?? null }), answeredAt: null };
      });
    },

    /** Writes what a turn of an open rotation changed, all of it as of `at`. `step` is the one that ran, for the history. */
    commit(rotation: Rotation, change: Commit, at: number = clock.now()): Rotation {
      return transaction(() => {
        for (const { id, set } of change.keys ?? []) keys.update(id, set);
        let patch = change.rotation ?? {};
        if (change.newKey !== undefined) {
          const { asTarget, ...key } = change.newKey;
          const id = keys.insert(key);
          if (asTarget) patch = { ...patch, target: id };
        }
        const refused = change.refusedIntents ?? [];
        for (const label of refused) keys.refuseIntent(label);
        if (refused.length > 0) patch = { intents: Math.max(0, this.rotation(rotation.id).intents - refused.length), ...patch };
        for (const label of change.closeIntents ?? []) keys.closeIntent(label, at);
        for (const call of change.answeredCalls ?? []) keys.answerCall(call, at);
        const after = rotations.update(rotation.id, patch);
        note(rotation, rotation.step, change.events ?? [], at);
        return after;
      });
    },

    /** The clock went back to `now`: no call may be open until the old time, and no probe of ours lie ahead of real uses. */
    wentBack(now: number): void {
      transaction(() => {
        keys.reopenCalls(now);
        keys.pullProbes(now);
      });
    },

    /** Writes what an operator did to a credential outside of a rotation. */
    record(credential: string, drafts: readonly EventDraft[], write: () => void = () => {}): void {
      transaction(() => {
        write();
        for (const draft of drafts) events.append(draft, { at: clock.now(), credential, rotation: null, step: null });
      });
    },
  };
}

export type Ledger = ReturnType<typeof openLedger>;
