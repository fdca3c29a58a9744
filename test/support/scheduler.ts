import type { Config, CredentialConfig } from "../../src/config/config.ts";
import { openLog } from "../../src/log.ts";
import type { Engine } from "../../src/rotation/engine.ts";
import { createScheduler } from "../../src/scheduler.ts";
import { realClock } from "../../src/world/clock.ts";
import { memoryLedger, newKey } from "../state/fixture.ts";

export const HOUR = 3_600_000;
export const DAY = 24 * HOUR;
export const START = Date.parse("2026-11-01T12:00:00Z");

interface Options {
  readonly names?: readonly string[];
  readonly credential?: Partial<CredentialConfig>;
  readonly spreadMs?: number;
}

/** The scheduler over a ledger in memory, with an engine that only counts. Timers, wall clock and monotonic clock are faked together. */
export function makeScheduler({ names = ["main"], credential = {}, spreadMs = 0 }: Options = {}) {
  const { ledger, db } = memoryLedger();
  const time = { jumped: 0 };
  const clock = {
    now: () => Date.now() + time.jumped,
    monotonic: () => Date.now(),
    sleep: () => Promise.reject(new Error("nobody sleeps here")),
    after: realClock.after,
    deadline: () => AbortSignal.abort(),
  };
  const credentials = Object.fromEntries(
    names.map((name): [string, CredentialConfig] => [
      name,
      {
        name,
        provider: "openai",
        store: { use: "local", place: {} },
        mirrors: [],
        resolve: [],
        consumers: [],
        schedule: { every: 30 * DAY },
        window: undefined,
        overlapMs: 0,
        jitterMs: 0,
        ...credential,
      },
    ]),
  );
  const timing = { drainLimitMs: DAY, afterFailure: { firstMs: HOUR, lastMs: DAY }, spreadMs };
  const config = { providers: {}, credentials, timing } as unknown as Config;
  const calls = { runDue: 0, jumps: 0 };
  const engineDue: { at: number | undefined } = { at: undefined };
  const engine = {
    runDue() {
      calls.runDue += 1;
    },
    nextDue: () => engineDue.at,
    clockJumped() {
      calls.jumps += 1;
    },
  } as unknown as Engine;
  for (const [index, name] of names.entries()) {
    db.prepare(
      "insert into credentials (name, first_seen_at) values (?, ?) on conflict (name) do update set first_seen_at = excluded.first_seen_at",
    ).run(name, START);
    ledger.keys.insert(newKey({ credential: name, vendorId: `key_${index}`, stage: "current", promotedAt: START }));
  }
  const lines: string[] = [];
  const log = openLog("debug", { write: (line) => void lines.push(line) });
  const scheduler = createScheduler({ ledger, engine, clock, config: () => config, log });
  /** As the engine would end it. */
  const end = (name: string, outcome: "done" | "failed" | "cancelled" | "abandoned") => {
    const open = ledger.rotations.open(name);
    if (open === undefined) throw new Error(`${name} has no open rotation`);
    ledger.commit(open, { rotation: { outcome, endedAt: clock.now(), dueAt: null } });
    scheduler.touch(name);
  };
  return { ledger, scheduler, calls, engineDue, time, lines, end, credentials, clock };
}
