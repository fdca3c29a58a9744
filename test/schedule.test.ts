import { describe, expect, test } from "vitest";
import type { CredentialConfig, Timing } from "../src/config/config.ts";
import { intoWindow, nextRotation, type Past, spreadMissed, windowCloses } from "../src/schedule.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const START = Date.parse("2026-11-01T12:00:00Z");

const TIMING = { drainLimitMs: DAY, afterFailure: { firstMs: HOUR, lastMs: DAY }, spreadMs: 10 * MINUTE } as Timing;
const PAST: Past = { firstSeenAt: START, lastDoneAt: undefined, lastEnded: undefined, failures: 0, expiresAt: undefined, hasKey: true };

function credential(more: Partial<CredentialConfig> = {}): CredentialConfig {
  return {
    name: "main",
    provider: "openai",
    store: { use: "local", place: {} },
    mirrors: [],
    resolve: [],
    consumers: [],
    schedule: { every: 30 * DAY },
    window: undefined,
    overlapMs: HOUR,
    jitterMs: 0,
    ...more,
  };
}

const next = (past: Partial<Past>, more: Partial<CredentialConfig> = {}) => nextRotation(credential(more), { ...PAST, ...past }, TIMING);
const iso = (at: number | undefined) => (at === undefined ? undefined : new Date(at).toISOString().replace(".000Z", "Z"));
const at = (text: string) => Date.parse(text);

describe("every", () => {
  test("is counted from the last rotation that was done", () => {
    expect(next({ lastDoneAt: START })).toBe(START + 30 * DAY);
    expect(next({ firstSeenAt: START - 400 * DAY, lastDoneAt: START }), "and from nothing else").toBe(START + 30 * DAY);
  });

  test("without one, from when it was first seen", () => expect(next({})).toBe(START + 30 * DAY));

  test("may be longer than a timer can be set", () => {
    expect(next({ lastDoneAt: START }, { schedule: { every: 365 * DAY } })).toBe(START + 365 * DAY);
  });
});

test("without a schedule, and without a key, nothing is due", () => {
  const none = credential();
  expect(nextRotation({ ...none, schedule: undefined }, PAST, TIMING)).toBeUndefined();
  expect(next({ hasKey: false })).toBeUndefined();
  expect(next({ hasKey: false, expiresAt: START }), "also not for an expiry").toBeUndefined();
});

describe("cron", () => {
  const cases: readonly [cron: string, zone: string, after: string, due: string][] = [
    ["0 4 1 * *", "UTC", "2026-11-01T12:00:00Z", "2026-12-01T04:00:00Z"],
    ["0 4 1 * *", "Europe/Berlin", "2026-11-01T12:00:00Z", "2026-12-01T03:00:00Z"],
    ["0 4 1 * *", "Asia/Kolkata", "2026-11-01T12:00:00Z", "2026-11-30T22:30:00Z"],
    // 02:30 is not there in spring: right after the gap. It comes twice in autumn: the first one.
    ["30 2 * * *", "Europe/Berlin", "2027-03-27T12:00:00Z", "2027-03-28T01:00:00Z"],
    ["30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z"],
    ["30 2 * * *", "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"],
    ["0 4 * * *", "America/New_York", "2027-03-13T12:00:00Z", "2027-03-14T08:00:00Z"],
    ["0 4 * * *", "Australia/Lord_Howe", "2027-04-03T12:00:00Z", "2027-04-03T17:30:00Z"],
  ];
  test.each(cases)("%s in %s after %s is due at %s", (cron, zone, after, due) => {
    expect(iso(next({ lastDoneAt: at(after) }, { schedule: { cron, zone } }))).toBe(due);
  });

  test("is never due at the very moment at which it was done", () => {
    const schedule = { cron: "30 23 27 3 *", zone: "America/Godthab" };
    for (let base = at("2026-01-01T00:00:00Z"), n = 0; n < 5; n += 1) {
      const due = next({ lastDoneAt: base }, { schedule }) ?? 0;
      expect(due).toBeGreaterThan(base);
      base = due;
    }
  });

  test("a rotation that took long past its hour does not skip the day after", () => {
    expect(iso(next({ lastDoneAt: at("2026-11-02T05:10:00Z") }, { schedule: { cron: "0 4 * * *", zone: "UTC" } }))).toBe(
      "2026-11-03T04:00:00Z",
    );
  });
});

describe("jitter", () => {
  const jitterMs = 6 * HOUR;
  test("is the same each time it is asked, and below its limit", () => {
    const due = next({ lastDoneAt: START }, { jitterMs });
    for (let n = 0; n < 5; n += 1) expect(next({ lastDoneAt: START }, { jitterMs })).toBe(due);
    expect(due).toBeGreaterThanOrEqual(START + 30 * DAY);
    expect(due).toBeLessThan(START + 30 * DAY + jitterMs);
  });

  test("differs between credentials, and between the rotations of one", () => {
    const names = Array.from({ length: 100 }, (_, n) => next({ lastDoneAt: START }, { jitterMs, name: `credential-${n}` }));
    expect(new Set(names).size).toBeGreaterThan(90);
    const early = names.filter((due) => (due ?? 0) < START + 30 * DAY + jitterMs / 2).length;
    expect(early, "about a half of them in the first half").toBeGreaterThan(30);
    expect(early).toBeLessThan(70);
    expect((next({ lastDoneAt: START + DAY }, { jitterMs }) ?? 0) - DAY).not.toBe(next({ lastDoneAt: START }, { jitterMs }));
  });
});

describe("window", () => {
  const night = { from: "02:00", to: "05:00", zone: "Europe/Berlin" };
  const midnight = { from: "23:00", to: "01:30", zone: "Europe/Berlin" };
  const cases: readonly [string, typeof night, string, string][] = [
    ["before it", night, "2026-11-02T00:30:00Z", "2026-11-02T01:00:00Z"],
    ["inside", night, "2026-11-02T02:17:00Z", "2026-11-02T02:17:00Z"],
    ["at its first moment", night, "2026-11-02T01:00:00Z", "2026-11-02T01:00:00Z"],
    ["at its end", night, "2026-11-02T04:00:00Z", "2026-11-03T01:00:00Z"],
    ["over midnight, before it", midnight, "2026-11-02T12:00:00Z", "2026-11-02T22:00:00Z"],
    ["over midnight, in the evening", midnight, "2026-11-02T22:30:00Z", "2026-11-02T22:30:00Z"],
    ["over midnight, in the morning", midnight, "2026-11-02T00:15:00Z", "2026-11-02T00:15:00Z"],
    ["over midnight, at its end", midnight, "2026-11-02T00:30:00Z", "2026-11-02T22:00:00Z"],
    ["on the day on which it begins later by the clock", night, "2027-03-27T12:00:00Z", "2027-03-28T01:00:00Z"],
    ["on the day whose 02:00 comes twice, the first", night, "2026-10-24T12:00:00Z", "2026-10-25T00:00:00Z"],
    ["in the repeated hour", night, "2026-10-25T01:30:00Z", "2026-10-25T01:30:00Z"],
  ];
  test.each(cases)("%s", (_, window, planned, due) => expect(iso(intoWindow(at(planned), window, undefined))).toBe(due));

  test("a plan is moved into it, with its jitter", () => {
    const due = next({ lastDoneAt: at("2026-11-01T12:00:00Z") }, { schedule: { every: DAY }, window: night, jitterMs: HOUR }) ?? 0;
    expect(due).toBeGreaterThan(at("2026-11-03T01:00:00Z"));
    expect(due).toBeLessThan(at("2026-11-03T02:00:00Z"));
    const wide = next({ lastDoneAt: at("2026-11-01T12:00:00Z") }, { schedule: { every: DAY }, window: night, jitterMs: 30 * DAY }) ?? 0;
    expect(intoWindow(wide, night, undefined), "never past its end").toBe(wide);
  });

  test("closes at its end, also over midnight and daylight saving", () => {
    expect(iso(windowCloses(at("2026-11-02T02:00:00Z"), night))).toBe("2026-11-02T04:00:00Z");
    expect(iso(windowCloses(at("2026-11-02T22:30:00Z"), midnight))).toBe("2026-11-03T00:30:00Z");
    expect(iso(windowCloses(at("2026-10-25T00:30:00Z"), night))).toBe("2026-10-25T04:00:00Z");
  });
});

describe("after a rotation that did not end well", () => {
  const ended = (outcome: "failed" | "cancelled" | "abandoned", failures: number) =>
    next({ lastDoneAt: START - 31 * DAY, lastEnded: { outcome, endedAt: START }, failures });

  test("an hour, doubling to a day", () => {
    expect([1, 2, 3, 4, 5, 6, 7, 100].map((failures) => ((ended("failed", failures) ?? 0) - START) / HOUR)).toEqual([
      1, 2, 4, 8, 16, 24, 24, 24,
    ]);
  });

  test("one that a person ended is left alone for a day", () => {
    expect(ended("cancelled", 0)).toBe(START + DAY);
    expect(ended("abandoned", 3)).toBe(START + DAY);
  });

  test("does not come before its schedule for that", () => {
    expect(next({ lastDoneAt: START - DAY, lastEnded: { outcome: "failed", endedAt: START }, failures: 1 })).toBe(START + 29 * DAY);
  });

  test("waits for the window, too", () => {
    const window = { from: "02:00", to: "05:00", zone: "UTC" };
    const past = { lastDoneAt: START - 31 * DAY, lastEnded: { outcome: "failed", endedAt: START } as const, failures: 1 };
    expect(iso(next(past, { window }))).toBe("2026-11-02T02:00:00Z");
  });
});

describe("a key that expires", () => {
  test("is replaced with time for overlap and drain before it", () => {
    expect(next({ lastDoneAt: START, expiresAt: START + 10 * DAY })).toBe(START + 10 * DAY - HOUR - DAY);
  });

  test("also without a schedule", () => {
    expect(nextRotation({ ...credential(), schedule: undefined }, { ...PAST, expiresAt: START + 10 * DAY }, TIMING)).toBe(
      START + 9 * DAY - HOUR,
    );
  });

  test("and its schedule counts where that is earlier", () => {
    expect(next({ lastDoneAt: START, expiresAt: START + 90 * DAY })).toBe(START + 30 * DAY);
  });

  test("and, where its whole life is shorter than overlap and drain, at half of it: not at once after the last one, for ever", () => {
    expect(next({ lastDoneAt: START, expiresAt: START + DAY })).toBe(START + DAY / 2);
    expect(next({ lastDoneAt: START, expiresAt: START + DAY }, { overlapMs: 0, schedule: undefined })).toBe(START + DAY / 2);
  });

  test("but one that was not made by a rotation is replaced at once, when it has no more than that", () => {
    expect(next({ expiresAt: START + DAY })).toBe(START - HOUR);
  });

  describe("with a window", () => {
    const window = { from: "02:00", to: "05:00", zone: "Europe/Berlin" };
    const expiring = (latest: string, past: Partial<Past> = {}) =>
      iso(next({ expiresAt: at(latest) + HOUR + DAY, ...past }, { window, schedule: undefined }));

    test.each([
      ["in it, then", "2026-11-20T02:30:00Z", "2026-11-20T02:30:00Z"],
      ["later that day, in the one before", "2026-11-20T12:00:00Z", "2026-11-20T01:00:00Z"],
      ["earlier that day, in the one of the day before", "2026-11-20T00:30:00Z", "2026-11-19T01:00:00Z"],
      ["at its end, in that one", "2026-11-20T04:00:00Z", "2026-11-20T01:00:00Z"],
    ])("is replaced before there is no time left: %s", (_, latest, due) => expect(expiring(latest)).toBe(due));

    test("in the one before with its jitter, which ends with the window", () => {
      const expiresAt = at("2026-11-20T12:00:00Z") + HOUR + DAY;
      const due = Array.from({ length: 50 }, (_, n) =>
        next({ expiresAt }, { window, schedule: undefined, jitterMs: 30 * DAY, name: `credential-${n}` }),
      ).map((time) => time ?? 0);
      expect(new Set(due).size).toBe(50);
      expect(Math.min(...due)).toBeGreaterThanOrEqual(at("2026-11-20T01:00:00Z"));
      expect(Math.max(...due)).toBeLessThan(at("2026-11-20T03:59:00Z"));
    });

    test("and jitter takes nothing of the time before its expiry, where a failure made it wait for the window", () => {
      const opens = at("2026-11-20T01:00:00Z");
      const lastEnded = { outcome: "failed", endedAt: at("2026-11-19T12:00:00Z") } as const;
      const due = (leftMs: number, name: string) =>
        next({ lastDoneAt: START - 31 * DAY, lastEnded, failures: 1, expiresAt: opens + leftMs }, { window, jitterMs: 3 * HOUR, name }) ??
        0;
      const names = Array.from({ length: 50 }, (_, n) => `credential-${n}`);
      const enough = names.map((name) => due(HOUR + DAY + 10 * MINUTE, name));
      expect(new Set(enough).size).toBe(50);
      expect(Math.min(...enough)).toBeGreaterThanOrEqual(opens);
      expect(Math.max(...enough)).toBeLessThan(opens + 10 * MINUTE);
      expect(new Set(names.map((name) => due(HOUR, name))), "at the opening, where that time is short already").toEqual(new Set([opens]));
    });

    test("but not twice in one window, where its life does not reach to the next", () => {
      const lastDoneAt = at("2026-11-20T01:10:00Z");
      expect(expiring("2026-11-20T12:00:00Z", { lastDoneAt })).toBe("2026-11-21T01:00:00Z");
    });

    test("and outside of it, where it does not live until the next one opens", () => {
      const missed = at("2026-11-20T12:00:00Z");
      expect(intoWindow(missed, window, at("2026-11-21T00:59:00Z"))).toBe(missed);
      expect(iso(intoWindow(missed, window, at("2026-11-21T01:01:00Z")))).toBe("2026-11-21T01:00:00Z");
    });
  });

  test("but not at once again after a failure", () => {
    const lastEnded = { outcome: "failed", endedAt: START } as const;
    expect(next({ lastEnded, failures: 1, expiresAt: START + HOUR })).toBe(START + HOUR);
  });

  test.each([
    ["failed", 5],
    ["cancelled", 0],
    ["abandoned", 0],
  ] as const)("and not only when it is over, after one that %s", (outcome, failures) => {
    const waits = (leftMs: number) => (next({ lastEnded: { outcome, endedAt: START }, failures, expiresAt: START + leftMs }) ?? 0) - START;
    expect(waits(12 * HOUR), "half of what it has left").toBe(6 * HOUR);
    expect(waits(1.5 * HOUR), "but no sooner than after a first failure").toBe(HOUR);
    const usual = outcome === "failed" ? 16 * HOUR : DAY;
    expect([waits(-DAY), waits(HOUR)], "where no time is left, the wait is the usual one").toEqual([usual, usual]);
  });
});

describe("missed while the daemon was down", () => {
  test("runs once, within the time that the missed ones are spread over", () => {
    const due = Array.from({ length: 200 }, (_, n) => spreadMissed(START, credential({ name: `credential-${n}` }), undefined, TIMING));
    expect(Math.min(...due)).toBeGreaterThanOrEqual(START);
    expect(Math.max(...due)).toBeLessThan(START + TIMING.spreadMs);
    const minutes = new Set(due.map((time) => Math.floor((time - START) / MINUTE)));
    expect(minutes.size, "in every minute of the ten").toBe(10);
  });

  test("and, in the last minute of a window, in half of what is left of it", () => {
    const window = { from: "02:00", to: "05:00", zone: "UTC" };
    const now = at("2026-11-02T04:59:20Z");
    const due = Array.from({ length: 200 }, (_, n) =>
      spreadMissed(now, credential({ name: `credential-${n}`, window }), undefined, TIMING),
    );
    expect(Math.min(...due)).toBeGreaterThanOrEqual(now);
    expect(Math.max(...due)).toBeLessThan(now + 20 * SECOND);
    expect(new Set(due).size).toBeGreaterThan(190);
  });
});
