import type { Config } from "./config/config.ts";
import type { Clock } from "./contract/world.ts";
import type { User } from "./itself/users.ts";
import type { Logger } from "./log.ts";
import type { PlugSession } from "./plugs.ts";
import { waitBefore } from "./rotation/retry.ts";

/** A session is never left alone for longer: clocks are set anew, and machines sleep. Asking before it is due costs no call. */
const LONGEST_PAUSE_MS = 3_600_000;

interface Parts {
  readonly clock: Clock;
  readonly config: () => Pick<Config, "timing">;
  readonly sessions: () => readonly PlugSession[];
  readonly log: Logger;
}

/** Has the plugs keep what they are logged in with alive between two rotations, which may be a month apart. */
export function createSessionKeeper({ clock, config, sessions, log }: Parts) {
  let present = new AbortController();
  let kept: Promise<unknown> = Promise.resolve();

  async function keep(session: PlugSession, signal: AbortSignal): Promise<void> {
    for (let failures = 0; ; ) {
      const pause = await ask(session, failures, signal);
      if (pause === undefined) return;
      failures = pause.failed ? failures + 1 : 0;
      await clock.sleep(Math.min(pause.ms, LONGEST_PAUSE_MS), signal);
    }
  }

  /** How long to leave a session alone; `undefined` for one that never runs out. What a person may have cured is tried again. */
  async function ask({ user, keep }: PlugSession, failures: number, signal: AbortSignal) {
    const { timing } = config();
    try {
      const ms = await keep(AbortSignal.any([signal, clock.deadline(timing.callTimeoutMs)]));
      return ms === undefined ? undefined : { failed: false, ms };
    } catch (error) {
      signal.throwIfAborted();
      const ms = waitBefore(failures, timing, error);
      log.warn({ err: error, ...named(user), retryInMs: ms }, "cannot keep its session alive");
      return { failed: true, ms };
    }
  }

  function stop(): Promise<unknown> {
    present.abort(new Error("shutting down"));
    return kept;
  }

  return {
    /** Takes over the sessions of the present configuration. */
    refresh(): void {
      void stop();
      present = new AbortController();
      const { signal } = present;
      kept = Promise.allSettled(sessions().map((session) => keep(session, signal)));
    },
    stop,
  };
}

const named = ({ kind, name }: User) => ({ [kind]: name });
