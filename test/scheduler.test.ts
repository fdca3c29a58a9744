import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Config, CredentialConfig } from "../src/config/config.ts";
import { openLog } from "../src/log.ts";
import type { Engine } from "../src/rotation/engine.ts";
import { createScheduler, planFor } from "../src/scheduler.ts";
import { DatabaseError } from "../src/state/database.ts";
import { realClock } from "../src/world/clock.ts";
import { memoryLedger, newKey } from "./state/fixture.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const START = Date.parse("2026-11-01T12:00:00Z");

beforeEach(() => void vi.useFakeTimers({ now: START, toFake: ["setTimeout", "clearTimeout", "Date"] }));
afterEach(() => void vi.useRealTimers());

interface Options {
  readonly names?: readonly string[];
  readonly credential?: Partial<CredentialConfig>;
  readonly spreadMs?: number;
}

/** The scheduler over a ledger in memory, with an engine that only counts. Timers, wall clock and monotonic clock are faked together. */
function makeScheduler({ names = ["main"], credential = {}, spreadMs = 0 }: Options = {}) {
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

test("starts what is due, at its time and once", () => {
  const { ledger, scheduler, end } = makeScheduler();
  scheduler.refresh();
  expect(scheduler.nextAt("main")).toBe(START + 30 * DAY);
  vi.advanceTimersByTime(30 * DAY - 1);
  expect(ledger.rotations.open("main")).toBeUndefined();
  vi.advanceTimersByTime(20);
  expect(ledger.rotations.open("main")).toMatchObject({ trigger: "schedule", actor: null, plan: { name: "routine" } });
  expect(scheduler.nextAt("main"), "an open one plans nothing").toBeUndefined();
  vi.advanceTimersByTime(40 * DAY);
  expect(ledger.rotations.open("main")?.id, "still the same").toBe(1);
  end("main", "done");
  expect(scheduler.nextAt("main"), "counted from its end").toBe(Date.now() + 30 * DAY);
});

test("there is one timer, never set beyond an hour", () => {
  const set = vi.spyOn(globalThis, "setTimeout");
  const { scheduler } = makeScheduler({ names: Array.from({ length: 50 }, (_, n) => `credential-${n}`) });
  scheduler.refresh();
  for (let n = 0; n < 50; n += 1) scheduler.touch(`credential-${n}`);
  expect(vi.getTimerCount()).toBe(1);
  vi.advanceTimersByTime(29 * DAY);
  expect(vi.getTimerCount()).toBe(1);
  expect(Math.max(...set.mock.calls.map(([, ms]) => ms ?? 0))).toBe(HOUR);
  scheduler.stop();
  expect(vi.getTimerCount(), "none when it is stopped").toBe(0);
});

test("wakes the engine when a rotation is due", () => {
  const { scheduler, calls, engineDue } = makeScheduler();
  scheduler.refresh();
  engineDue.at = START + 5000;
  scheduler.touch("main");
  const before = calls.runDue;
  vi.advanceTimersByTime(4999);
  expect(calls.runDue).toBe(before);
  engineDue.at = START + 5000;
  vi.advanceTimersByTime(1);
  expect(calls.runDue).toBe(before + 1);
});

describe("10,000 credentials", () => {
  const names = Array.from({ length: 10_000 }, (_, n) => `credential-${n}`);

  test("wake it once an hour while nothing is due, and a wake-up is cheap", () => {
    const { scheduler, calls } = makeScheduler({ names });
    scheduler.refresh();
    const before = calls.runDue;
    const from = performance.now();
    vi.advanceTimersByTime(7 * DAY);
    const wakes = calls.runDue - before;
    expect(wakes).toBe(7 * 24);
    expect((performance.now() - from) / wakes, "milliseconds for each").toBeLessThan(20);
  });

  test("also when each has its own time: at most one wake-up for each that is due", () => {
    const { scheduler, ledger, calls } = makeScheduler({ names, credential: { jitterMs: 10 * DAY } });
    scheduler.refresh();
    vi.advanceTimersByTime(30 * DAY);
    const before = calls.runDue;
    vi.advanceTimersByTime(HOUR);
    const started = ledger.rotations.allOpen().length;
    expect(started).toBeGreaterThan(10);
    expect(calls.runDue - before).toBeLessThanOrEqual(started + 2);
    expect(calls.runDue - before, "less than one a second").toBeLessThan(3600);
  });
});

describe("the wall clock jumps", () => {
  test("overlaps start anew", () => {
    const { scheduler, calls, time } = makeScheduler();
    scheduler.refresh();
    vi.advanceTimersByTime(HOUR);
    expect(calls.jumps).toBe(0);
    time.jumped = 6 * 60_000;
    vi.advanceTimersByTime(HOUR);
    expect(calls.jumps).toBe(1);
    vi.advanceTimersByTime(5 * HOUR);
    expect(calls.jumps, "once").toBe(1);
    time.jumped = -DAY;
    vi.advanceTimersByTime(HOUR);
    expect(calls.jumps, "back, too").toBe(2);
  });

  test("a small correction is none", () => {
    const { scheduler, calls, time } = makeScheduler();
    scheduler.refresh();
    time.jumped = 4 * 60_000;
    vi.advanceTimersByTime(2 * HOUR);
    expect(calls.jumps).toBe(0);
  });

  test("forward: what is due now starts within the hour", () => {
    const { scheduler, ledger, time } = makeScheduler();
    scheduler.refresh();
    time.jumped = 31 * DAY;
    vi.advanceTimersByTime(HOUR);
    expect(ledger.rotations.open("main")).toBeDefined();
  });
});

test("a wake-up that fails is told and not the last; what was due is started later", () => {
  const { scheduler, ledger, lines } = makeScheduler();
  scheduler.refresh();
  const start = vi.spyOn(ledger, "start").mockImplementation(() => {
    throw new DatabaseError("cannot write the ledger: the disk is full", "free some space; nothing was lost");
  });
  vi.advanceTimersByTime(30 * DAY + 60_000);
  expect(start.mock.calls.length, "every 5 s").toBeGreaterThanOrEqual(10);
  expect(start.mock.calls.length).toBeLessThanOrEqual(14);
  expect(JSON.parse(lines.at(-1) ?? "")).toMatchObject({ msg: "the scheduler failed", err: { hint: "free some space; nothing was lost" } });
  expect(vi.getTimerCount()).toBe(1);
  expect(scheduler.healthy(), "it still comes when it should").toBe(true);
  start.mockRestore();
  vi.advanceTimersByTime(6000);
  expect(ledger.rotations.open("main")).toBeDefined();
});

test("it is not healthy when its timer is long overdue", () => {
  const { scheduler } = makeScheduler();
  scheduler.refresh();
  expect(scheduler.healthy()).toBe(true);
  vi.setSystemTime(Date.now() + HOUR + 5000);
  expect(scheduler.healthy(), "a little late").toBe(true);
  vi.setSystemTime(Date.now() + 10_000);
  expect(scheduler.healthy()).toBe(false);
});

describe("nothing is planned for a credential", () => {
  test("that is paused, until it is resumed", () => {
    const { scheduler, ledger } = makeScheduler();
    ledger.credentials.pause("main", START, "somebody");
    scheduler.refresh();
    vi.advanceTimersByTime(31 * DAY);
    expect(ledger.rotations.open("main")).toBeUndefined();
    ledger.credentials.resume("main");
    scheduler.touch("main");
    vi.advanceTimersByTime(1000);
    expect(ledger.rotations.open("main"), "then what was missed").toBeDefined();
  });

  test("that was retired", () => {
    const { scheduler, ledger } = makeScheduler();
    ledger.credentials.retire("main", START);
    scheduler.refresh();
    expect(scheduler.nextAt("main")).toBeUndefined();
  });

  test("that has no key", () => {
    const { scheduler, ledger } = makeScheduler();
    ledger.keys.update(1, { stage: "dead", deadAt: START });
    scheduler.refresh();
    expect(scheduler.nextAt("main")).toBeUndefined();
  });

  test("that left the configuration", () => {
    const { scheduler, ledger, credentials } = makeScheduler({ names: ["main", "other"] });
    scheduler.refresh();
    delete credentials["main"];
    scheduler.refresh();
    vi.advanceTimersByTime(31 * DAY);
    expect(ledger.rotations.open("main")).toBeUndefined();
    expect(ledger.rotations.open("other")).toBeDefined();
  });
});

test("after failures it waits longer each time, and counts from the last that was done", () => {
  const { scheduler, ledger, end } = makeScheduler();
  scheduler.refresh();
  vi.advanceTimersByTime(30 * DAY + 1000);
  const waits: number[] = [];
  for (let n = 0; n < 6; n += 1) {
    end("main", "failed");
    waits.push(((scheduler.nextAt("main") ?? 0) - Date.now()) / HOUR);
    vi.advanceTimersByTime((scheduler.nextAt("main") ?? 0) - Date.now() + 20);
  }
  expect(waits).toEqual([1, 2, 4, 8, 16, 24]);
  end("main", "done");
  expect(scheduler.nextAt("main")).toBe(Date.now() + 30 * DAY);
  expect(ledger.rotations.lastEnded("main")?.outcome).toBe("done");
});

describe("missed while down", () => {
  const overdue = { schedule: { every: DAY } };

  test("runs once, spread out", () => {
    const names = Array.from({ length: 20 }, (_, n) => `credential-${n}`);
    const first = makeScheduler({ names, credential: overdue, spreadMs: 600_000 });
    vi.setSystemTime(START + 10 * DAY);
    const again = createScheduler({
      ledger: first.ledger,
      engine: { runDue() {}, nextDue: () => undefined, clockJumped() {} } as unknown as Engine,
      clock: first.clock,
      config: () =>
        ({
          providers: {},
          credentials: first.credentials,
          timing: { drainLimitMs: DAY, afterFailure: { firstMs: HOUR, lastMs: DAY }, spreadMs: 600_000 },
        }) as unknown as Config,
      log: openLog("silent"),
    });
    again.refresh();
    vi.advanceTimersByTime(300_000);
    const half = first.ledger.rotations.allOpen().length;
    expect(half, "about a half in the first half").toBeGreaterThan(3);
    expect(half).toBeLessThan(17);
    vi.advanceTimersByTime(301_000);
    expect(first.ledger.rotations.allOpen()).toHaveLength(20);
    again.stop();
  });

  test("waits for its window, like one that was slept over or paused", () => {
    const window = { from: "02:00", to: "05:00", zone: "UTC" };
    const { scheduler, ledger } = makeScheduler({ credential: { ...overdue, window } });
    ledger.credentials.pause("main", START, "somebody");
    scheduler.refresh();
    vi.advanceTimersByTime(3 * DAY); // noon
    ledger.credentials.resume("main");
    scheduler.touch("main");
    vi.advanceTimersByTime(13 * HOUR);
    expect(ledger.rotations.open("main"), "not outside of it").toBeUndefined();
    expect(scheduler.nextAt("main")).toBe(START + 3 * DAY + 14 * HOUR);
    vi.advanceTimersByTime(HOUR + 1000);
    expect(ledger.rotations.open("main")?.plan.preflightUntil, "until it closes").toBe(START + 3 * DAY + 17 * HOUR);
  });
});

test("the plan of a start: the first key of an empty store, a rehearsal, or the routine", () => {
  const { ledger, credentials } = makeScheduler();
  const main = credentials["main"] as CredentialConfig;
  const name = (more: { rehearsal?: boolean } = {}) =>
    planFor({ ledger, config: () => ({ providers: {} }) }, main, { now: true, at: START, ...more }).name;
  expect(name()).toBe("routine");
  expect(name({ rehearsal: true })).toBe("rehearsal");
  ledger.keys.update(1, { stage: "retiring" });
  expect(name()).toBe("initial");
});
