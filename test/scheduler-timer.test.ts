import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { DatabaseError } from "../src/state/database.ts";
import { DAY, HOUR, makeScheduler, START } from "./support/scheduler.ts";

beforeEach(() => void vi.useFakeTimers({ now: START, toFake: ["setTimeout", "clearTimeout", "Date"] }));
afterEach(() => void vi.useRealTimers());

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
