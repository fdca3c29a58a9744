import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { DAY, HOUR, makeScheduler, START } from "./support/scheduler.ts";

beforeEach(() => void vi.useFakeTimers({ now: START, toFake: ["setTimeout", "clearTimeout", "Date"] }));
afterEach(() => void vi.useRealTimers());

const names = Array.from({ length: 20 }, (_, n) => `credential-${n}`);
const window = { from: "02:00", to: "05:00", zone: "UTC" };
const MINUTE = 60_000;
const NOON = START + 100 * DAY;
const OPENS = NOON + 14 * HOUR;

type More = { window?: typeof window; jitterMs?: number; spreadMs?: number; leftMs?: number };

/** The scheduler of a daemon that comes up at `startedAt`, with all of them long overdue; and when each is planned. */
function comeUp(startedAt: number, { spreadMs = 0, leftMs, ...credential }: More) {
  vi.setSystemTime(startedAt);
  const made = makeScheduler({ names, credential, spreadMs });
  if (leftMs !== undefined) for (const name of names) expireIn(made, name, leftMs);
  made.scheduler.refresh();
  return { ...made, started: () => made.ledger.rotations.allOpen().length, planned: planned(made) };
}

function expireIn({ ledger }: ReturnType<typeof makeScheduler>, name: string, leftMs: number): void {
  for (const { id } of ledger.keys.live(name)) ledger.keys.update(id, { expiresAt: Date.now() + leftMs });
}

const planned = ({ scheduler }: ReturnType<typeof makeScheduler>) => names.map((name) => scheduler.nextAt(name) ?? Number.NaN);

function expectApart(times: readonly number[], from: number, to: number): void {
  expect(new Set(times).size, "each at its own time").toBe(names.length);
  expect(Math.min(...times)).toBeGreaterThanOrEqual(from);
  expect(Math.max(...times)).toBeLessThan(to);
  expect(Math.max(...times) - Math.min(...times), "over most of it").toBeGreaterThan((to - from) / 2);
}

describe("many that were missed", () => {
  test.each<[string, More, number]>([
    ["by their jitter", { jitterMs: HOUR }, HOUR],
    ["by the spread", { spreadMs: 10 * MINUTE }, 10 * MINUTE],
    ["by the longer of both", { jitterMs: HOUR, spreadMs: 10 * MINUTE }, HOUR],
    ["never past its end", { jitterMs: 30 * DAY }, 3 * HOUR - MINUTE],
  ])("do not all begin in the millisecond in which their window opens: apart %s", (_, more, overMs) => {
    const { planned, started } = comeUp(NOON, { window, ...more });
    expectApart(planned, OPENS, OPENS + overMs);
    vi.advanceTimersByTime(OPENS - Date.now() + overMs / 2);
    expect(started(), "about a half in the first half").toBeGreaterThan(3);
    expect(started()).toBeLessThan(17);
    vi.advanceTimersByTime(overMs / 2 + 1000);
    expect(started(), "in the same night").toBe(20);
  });

  test("nor those that were slept over", () => {
    vi.setSystemTime(START);
    const made = makeScheduler({ names, credential: { window, jitterMs: HOUR } });
    made.scheduler.refresh();
    made.time.jumped = 100 * DAY;
    vi.advanceTimersByTime(HOUR);
    expectApart(planned(made), OPENS, OPENS + HOUR);
    for (const name of names) made.scheduler.touch(name);
    expectApart(planned(made), OPENS, OPENS + HOUR);
  });

  test("begin in the window that is open, not in the next one", () => {
    const closesSoon = OPENS + 3 * HOUR - 5 * MINUTE;
    const { planned } = comeUp(closesSoon, { window, spreadMs: 10 * MINUTE });
    expectApart(planned, closesSoon, closesSoon + 4 * MINUTE);
  });

  describe("whose keys expire soon", () => {
    test("begin at once where the time before it is short already", () => {
      expect(comeUp(NOON, { spreadMs: 10 * MINUTE, leftMs: 2 * MINUTE }).started()).toBe(20);
    });

    test("are spread over what is left until that time", () => {
      const { planned } = comeUp(NOON, { spreadMs: 10 * MINUTE, leftMs: DAY + 2 * MINUTE });
      expectApart(planned, NOON, NOON + 2 * MINUTE);
    });

    test("also from the opening of their window on", () => {
      const { planned } = comeUp(NOON, { window, jitterMs: HOUR, leftMs: 14 * HOUR + DAY + 2 * MINUTE });
      expectApart(planned, OPENS, OPENS + 2 * MINUTE);
    });

    test("begin with their window where it opens later than that", () => {
      const { planned } = comeUp(NOON, { window, jitterMs: HOUR, leftMs: 14 * HOUR + 2 * MINUTE });
      expect(new Set(planned)).toEqual(new Set([OPENS]));
    });

    test("do not wait for a window that they do not live to see", () => {
      const { started } = comeUp(NOON, { window, jitterMs: HOUR, spreadMs: 10 * MINUTE, leftMs: 13 * HOUR });
      expect(started()).toBe(20);
    });
  });

  test("and what was not missed is not moved", () => {
    const { planned } = comeUp(START, { spreadMs: 10 * MINUTE });
    expect(new Set(planned)).toEqual(new Set([START + 30 * DAY]));
  });
});
