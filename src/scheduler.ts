import type { Config } from "./config/config.ts";
import type { Clock } from "./contract/world.ts";
import type { Logger } from "./log.ts";
import type { Key } from "./model.ts";
import type { Engine } from "./rotation/engine.ts";
import { planFor } from "./rotation/plans.ts";
import { intoWindow, nextRotation, spreadMissed } from "./schedule.ts";
import { DatabaseError } from "./state/database.ts";
import type { Ledger } from "./state/ledger.ts";

/** The one timer is never set beyond this: a `setTimeout` longer than 24 days fires at once, and clocks are set anew. */
const LONGEST_SLEEP_MS = 3_600_000;
/** Never more often than this, whatever is due. */
const SHORTEST_SLEEP_MS = 10;
/** A wall clock that moved this far against the monotonic one has jumped. */
const JUMP_MS = 300_000;
/** How far behind its time the timer may be before it counts as lost. */
const LATE_MS = 10_000;
/** When to go on after a wake-up, or a start, that failed. */
const AFTER_FAILURE_MS = 5000;

/** Decides when: starts what the schedules ask for, wakes the engine when a rotation is due, and keeps one timer for all of it. */
export function createScheduler(parts: { ledger: Ledger; engine: Engine; clock: Clock; config: () => Config; log: Logger }) {
  const { ledger, engine, clock, log } = parts;
  const startedAt = clock.now();
  /** When each scheduled credential is due. Computed anew only when something about it has changed. */
  const plannedAt = new Map<string, number>();
  let cancelWake = () => {};
  let wakeAt = Number.POSITIVE_INFINITY;
  let offset = clock.now() - clock.monotonic();
  let stopped = false;

  function plan(name: string): void {
    const credential = parts.config().credentials[name];
    const state = ledger.credentials.get(name);
    plannedAt.delete(name);
    if (credential === undefined || state === undefined || state.pausedAt !== null || state.retiredAt !== null) return;
    if (ledger.rotations.open(name) !== undefined) return;
    const done = ledger.rotations.lastWith(name, "done");
    const last = ledger.rotations.lastReplacing(name);
    const current = currentKey(name);
    const expiresAt = current?.expiresAt ?? undefined;
    const at = nextRotation(
      credential,
      {
        firstSeenAt: current === undefined ? state.firstSeenAt : Math.max(state.firstSeenAt, current.promotedAt ?? 0),
        lastDoneAt: done?.endedAt ?? undefined,
        lastEnded: last?.outcome == null ? undefined : { outcome: last.outcome, endedAt: last.endedAt ?? last.startedAt },
        failures: ledger.rotations.failuresSince(name, done?.endedAt ?? 0),
        expiresAt,
        hasKey: current !== undefined,
      },
      parts.config().timing,
    );
    if (at === undefined) return;
    plannedAt.set(name, at >= startedAt ? at : spreadMissed(startedAt, credential, expiresAt, parts.config().timing));
  }

  function currentKey(name: string): Key | undefined {
    return ledger.keys.live(name).find(({ stage }) => stage === "current");
  }

  function wake(): void {
    if (stopped) return;
    noticeJump();
    const now = clock.now();
    for (const [name, at] of plannedAt) if (at <= now) begin(name, now);
    engine.runDue();
    arm();
  }

  /** What was missed, or slept over, waits for the window like anything else. One that cannot be started holds up no other. */
  function begin(name: string, now: number): void {
    const credential = parts.config().credentials[name];
    if (credential === undefined) return;
    const expiresAt = currentKey(name)?.expiresAt ?? undefined;
    if (intoWindow(now, credential.window, expiresAt) > now) {
      plannedAt.set(name, spreadMissed(now, credential, expiresAt, parts.config().timing));
      return;
    }
    try {
      const plan = planFor(parts, credential, { now: false, at: now });
      const { rotation, started } = ledger.start({
        credential: name,
        plan,
        trigger: "schedule",
        actor: null,
        reason: null,
        idempotencyKey: null,
      });
      plannedAt.delete(name);
      if (started) log.info({ credential: name, rotation: rotation.id, plan: plan.name }, "rotation started");
    } catch (error) {
      if (error instanceof DatabaseError) throw error;
      plannedAt.set(name, now + AFTER_FAILURE_MS);
      log.error({ err: error, credential: name, retryInMs: AFTER_FAILURE_MS }, "cannot start a rotation");
    }
  }

  function noticeJump(): void {
    const now = clock.now() - clock.monotonic();
    if (Math.abs(now - offset) > JUMP_MS) engine.clockJumped(now - offset);
    offset = now;
  }

  function arm(): void {
    if (stopped) return;
    const now = clock.now();
    let next = Math.min(engine.nextDue() ?? Number.POSITIVE_INFINITY, now + LONGEST_SLEEP_MS);
    for (const at of plannedAt.values()) if (at < next) next = at;
    sleep(Math.max(SHORTEST_SLEEP_MS, next - now));
  }

  function sleep(ms: number): void {
    cancelWake();
    wakeAt = clock.monotonic() + ms;
    cancelWake = clock.after(ms, guardedWake);
  }

  /** A wake-up that fails, because the disk is full for one, must not be the last. */
  function guardedWake(): void {
    try {
      wake();
    } catch (error) {
      log.error({ err: error, retryInMs: AFTER_FAILURE_MS }, "the scheduler failed");
      sleep(AFTER_FAILURE_MS);
    }
  }

  return {
    /** Computes all times anew, and goes on from there: at the start, and after a reload of the configuration. */
    refresh(): void {
      plannedAt.clear();
      for (const name of Object.keys(parts.config().credentials)) plan(name);
      guardedWake();
    },
    /** Something about this credential has changed. */
    touch(name: string): void {
      plan(name);
      guardedWake();
    },
    /** The next planned start of a credential. */
    nextAt: (name: string): number | undefined => plannedAt.get(name),
    /** Whether the timer still comes when it should. */
    healthy: (): boolean => clock.monotonic() < wakeAt + LATE_MS,
    stop(): void {
      stopped = true;
      cancelWake();
    },
  };
}

export type Scheduler = ReturnType<typeof createScheduler>;
