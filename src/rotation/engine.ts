import pRetry, { type RetryContext } from "p-retry";
import type { CredentialConfig } from "../config/config.ts";
import { AdapterError } from "../contract/errors.ts";
import type { Call, Rotation } from "../model.ts";
import { DatabaseError } from "../state/database.ts";
import type { Answer } from "./context.ts";
import { makeContext } from "./make-context.ts";
import { asProblem } from "./observe.ts";
import type { EngineParts, TurnState } from "./parts.ts";
import { about, report } from "./report.ts";
import { QUICK_MS, waitBefore } from "./retry.ts";
import { STEPS } from "./steps.ts";
import { commitOf } from "./turn.ts";
import { cancelRotation } from "./way-back.ts";

/** Rotations that run at the same time. */
const MOST_AT_ONCE = 16;
/** How long an announced call may still answer when its rotation is interrupted. */
const ANSWER_GRACE_MS = 2000;
/** How often a paused rotation looks whether it is still paused. */
const PARKED_MS = 3_600_000;
/** When to try again after the ledger itself could not be written. */
const LEDGER_RETRY_MS = 5000;
/** How far behind its deadline a call may be before the engine counts as wedged. */
const WEDGED_MS = 2000;

interface Run {
  readonly abort: AbortController;
  readonly state: TurnState;
  readonly done: Promise<void>;
}

/**
 * Runs rotations: takes a row whose time has come, runs its step, and commits row, ledger and event in one
 * transaction. It names no step and no plan, and holds nothing that a crash could lose.
 */
export function createEngine(parts: EngineParts) {
  const { ledger, clock, log } = parts;
  const runs = new Map<number, Run>();
  /** When to look again at rotations whose commit failed. */
  const heldBack = new Map<number, number>();
  /** Rotations that somebody is about to change: they are not run meanwhile. */
  const takenOver: number[] = [];
  let clockJumpedAt: number | undefined;
  let stopping = false;

  async function drive(id: number, abort: AbortSignal, state: TurnState): Promise<void> {
    for (let rotation = ledger.rotation(id); ; ) {
      const due = rotation.outcome === null && rotation.dueAt !== null && rotation.dueAt <= clock.now();
      // Who waits for the call of this step to answer does not wait for another one to be begun.
      if (!due || abort.aborted || stopping || takenOver.includes(id)) return;
      const next = await turn(rotation, abort, state);
      if (next === undefined) return;
      rotation = next;
    }
  }

  /** One step of one rotation; `undefined` when it was interrupted or could not be written. */
  async function turn(rotation: Rotation, abort: AbortSignal, state: TurnState): Promise<Rotation | undefined> {
    const credential = parts.config().credentials[rotation.credential];
    let announced: readonly Call[] = [];
    let answer: Answer;
    try {
      if (credential === undefined) throw notConfigured(rotation);
      if (isParked(rotation)) return ledger.commit(rotation, { rotation: { dueAt: clock.now() + PARKED_MS } });
      const from = clock.monotonic();
      ({ answer, announced } = await attempt(rotation, credential, abort, state));
      log.debug({ ...about(rotation), go: answer.go, durationMs: Math.round(clock.monotonic() - from) }, "step answered");
    } catch (error) {
      if (abort.aborted) return undefined;
      const cause = error instanceof Failed ? error.cause : error;
      if (cause instanceof DatabaseError) return holdBack(rotation, cause);
      announced = error instanceof Failed ? error.answeredCalls : [];
      answer = afterError(rotation, cause);
    }
    try {
      return write(rotation, answer, announced);
    } catch (error) {
      if (error instanceof DatabaseError) return holdBack(rotation, error);
      // What breaks a rule of the ledger breaks it each time: a person is told, as of any other bug.
      answer = afterError(rotation, error);
    }
    try {
      return write(rotation, answer, []);
    } catch (error) {
      return holdBack(rotation, error);
    }
  }

  function write(rotation: Rotation, answer: Answer, announced: readonly Call[]): Rotation {
    const now = clock.now();
    const after = ledger.commit(rotation, commitOf(rotation, answer, announced, parts.config().timing, now), now);
    report(log, rotation, after, now, "problem" in answer ? answer.problem : undefined);
    return after;
  }

  /** The ledger cannot be written: a full disk, for one. The row is as it was; the calls that were announced stay open. */
  function holdBack(rotation: Rotation, error: unknown): undefined {
    log.error({ ...about(rotation), err: error, retryInMs: LEDGER_RETRY_MS }, "cannot write the ledger");
    heldBack.set(rotation.id, clock.now() + LEDGER_RETRY_MS);
  }

  /** Runs the step, again within moments while that may help and no call is left without an answer. */
  async function attempt(rotation: Rotation, credential: CredentialConfig, abort: AbortSignal, state: TurnState) {
    const run = rotation.cancelRequested ? cancelRotation : STEPS[rotation.step].run;
    return pRetry(
      async () => {
        const { context, announced } = makeContext(parts, rotation, credential, abort, state, clockJumpedAt);
        state.announced = announced;
        try {
          return { answer: await run(context), announced };
        } catch (cause) {
          throw new Failed(cause, announced);
        } finally {
          state.announced = [];
        }
      },
      { retries: QUICK_MS.length, minTimeout: 0, signal: abort, shouldRetry: (failed) => mayRetry(failed, abort) },
    );
  }

  /** Whether trying again within moments may help. The pause before it is on the clock that was handed in. */
  async function mayRetry({ error, retriesConsumed }: RetryContext, abort: AbortSignal): Promise<boolean> {
    if (!(error instanceof Failed) || !error.mayRetry) return false;
    await clock.sleep(QUICK_MS[retriesConsumed] ?? 0, abort);
    return true;
  }

  /** Nothing runs this rotation any more: whoever keeps the time must look when it is due again. */
  function rest(id: number): void {
    const rotation = ledger.rotations.get(id);
    if (rotation !== undefined) parts.atRest(rotation);
  }

  /**
   * The clock went back: what waits would sleep until the old time. A step that is run too early waits anew; its limits, the
   * calls that are open, and what others do with a key count from now.
   */
  function wakeAll(now: number): void {
    heldBack.clear();
    ledger.wentBack(now);
    const past = (at: number | null) => (at === null ? null : Math.min(at, now));
    for (const rotation of ledger.rotations.allOpen()) {
      const { dueAt, stepSince, troubleSince, validatedAt } = rotation;
      if (Math.max(stepSince, dueAt ?? 0, troubleSince ?? 0, validatedAt ?? 0) <= now) continue;
      ledger.commit(rotation, {
        rotation: {
          dueAt: past(dueAt),
          stepSince: Math.min(stepSince, now),
          troubleSince: past(troubleSince),
          validatedAt: past(validatedAt),
        },
      });
    }
  }

  async function interrupt(id: number): Promise<void> {
    const run = runs.get(id);
    if (run === undefined) return;
    // Another word, whose time is over first, ends this wait: the run is stopped then, as was asked.
    const grace = () => clock.sleep(ANSWER_GRACE_MS, run.abort.signal).catch(() => {});
    if (run.state.announced.length > 0) await Promise.race([run.done, grace()]);
    run.abort.abort(new Error("the rotation was taken over"));
    await run.done;
  }

  function isParked(rotation: Rotation): boolean {
    return STEPS[rotation.step].parks(rotation) && ledger.credentials.isPaused(rotation.credential);
  }

  function afterError(rotation: Rotation, error: unknown): Answer {
    const { timing } = parts.config();
    const now = clock.now();
    if (!(error instanceof AdapterError)) {
      log.error({ ...about(rotation), err: error }, "a bug: the step failed in a way that nobody foresaw");
      const text = "an unexpected error, which is a bug of rotated; the log has it";
      return {
        go: "stuck",
        at: now + waitBefore(Number.MAX_SAFE_INTEGER, timing, error),
        problem: { code: "bug", text, hint: "report it with the log; it is tried again by itself" },
      };
    }
    const problem = asProblem(error);
    const waitMs = waitBefore(rotation.attempts, timing, error);
    // The other side may wish for a day: a person is told before that, and not after.
    if (error.retry) return { go: waitMs > timing.tellAfterMs ? "stuck" : "again", at: now + waitMs, problem };
    return { go: "stuck", at: now + waitBefore(Number.MAX_SAFE_INTEGER, timing, error), problem };
  }

  return {
    /** Whether an operator's pause keeps the rotation before its step. */
    isParked,

    /** Starts every rotation whose time has come and that is not running yet. */
    runDue(): void {
      if (stopping) return;
      const now = clock.now();
      for (const [id, at] of heldBack) if (at <= now) heldBack.delete(id);
      for (const { id } of ledger.rotations.due(now, MOST_AT_ONCE * 2)) {
        if (runs.size >= MOST_AT_ONCE || runs.has(id) || heldBack.has(id) || takenOver.includes(id)) continue;
        const abort = new AbortController();
        const state: TurnState = { announced: [], calls: new Set() };
        const done = drive(id, abort.signal, state)
          .catch((error: unknown) => {
            log.error({ err: error, rotation: id }, "cannot go on with a rotation");
            heldBack.set(id, clock.now() + LEDGER_RETRY_MS);
          })
          .finally(() => {
            runs.delete(id);
            rest(id);
          });
        runs.set(id, { abort, state, done });
      }
    },

    /** When a rotation that is not running is due next. All is asked of one moment, or one that falls due in between is lost. */
    nextDue(): number | undefined {
      const now = clock.now();
      const waits = ledger.rotations
        .due(now, MOST_AT_ONCE * 2)
        .some(({ id }) => !runs.has(id) && !heldBack.has(id) && !takenOver.includes(id));
      if (waits && runs.size < MOST_AT_ONCE) return now;
      const later = [ledger.rotations.nextDue(now), ...heldBack.values()].filter((at) => at !== undefined);
      return later.length === 0 ? undefined : Math.min(...later);
    },

    /**
     * Stops the running step of a rotation, if it runs, and does `work` before anything else can run it: what an operator
     * says must not be overwritten by a step that was begun before. An announced call is given a moment to answer.
     */
    async takeOver<T>(id: number, work: () => T): Promise<T> {
      takenOver.push(id);
      try {
        await interrupt(id);
        return work();
      } finally {
        takenOver.splice(takenOver.indexOf(id), 1);
        // Also where `work` refused: the step that was stopped for it is still due.
        rest(id);
      }
    },

    /** The wall clock jumped: overlaps that are under way start anew. */
    clockJumped(byMs: number): void {
      clockJumpedAt = clock.now();
      log.warn({ byMs }, "the wall clock jumped: overlaps start anew");
      for (const rotation of ledger.rotations.allOpen()) {
        if (rotation.reloadedAt !== null) ledger.commit(rotation, { events: [{ code: "clockJumped", detail: { byMs } }] });
      }
      if (byMs < 0) wakeAll(clockJumpedAt);
    },

    /** Whether every call that is under way is within its deadline. What a watchdog may be told. */
    healthy(): boolean {
      const now = clock.monotonic();
      return [...runs.values()].every(({ state }) => [...state.calls].every(({ until }) => now < until + WEDGED_MS));
    },

    running: (): number => runs.size,

    /** Parks everything; rows stay as they are. */
    async stop(): Promise<void> {
      stopping = true;
      await Promise.all([...runs.keys()].map(interrupt));
    },
  };
}

export type Engine = ReturnType<typeof createEngine>;

/** A step that failed, with what is needed to go on: the error, and the calls that were announced before it. */
class Failed extends Error {
  readonly announced: readonly Call[];

  constructor(cause: unknown, announced: readonly Call[]) {
    super("the step failed", { cause });
    this.announced = announced;
  }

  /** Calls whose answer is known: the error itself is one. */
  get answeredCalls(): readonly Call[] {
    return this.cause instanceof AdapterError && this.cause.answered ? this.announced : [];
  }

  get mayRetry(): boolean {
    return this.cause instanceof AdapterError && this.cause.retry && this.cause.retryAfterMs === undefined && this.announced.length === 0;
  }
}

function notConfigured(rotation: Rotation): AdapterError {
  return new AdapterError("misconfigured", `credential ${rotation.credential} has an open rotation and is no longer in the configuration`, {
    cure: "put it back into the configuration and reload, or say rotatectl abandon",
  });
}
