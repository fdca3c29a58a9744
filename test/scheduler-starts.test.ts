import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Config, CredentialConfig } from "../src/config/config.ts";
import { openLog } from "../src/log.ts";
import type { Engine } from "../src/rotation/engine.ts";
import { planFor } from "../src/rotation/plans.ts";
import { createScheduler } from "../src/scheduler.ts";
import { DAY, HOUR, makeScheduler, START } from "./support/scheduler.ts";

beforeEach(() => void vi.useFakeTimers({ now: START, toFake: ["setTimeout", "clearTimeout", "Date"] }));
afterEach(() => void vi.useRealTimers());

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

test("one that cannot be started is tried again, and holds up no other", () => {
  const { ledger, scheduler, credentials, lines } = makeScheduler({ names: ["broken", "main"] });
  scheduler.refresh();
  const { broken } = credentials;
  credentials["broken"] = new Proxy(broken as CredentialConfig, {
    get(credential, field) {
      if (field === "consumers") throw new Error("a bug");
      return Reflect.get(credential, field);
    },
  });
  vi.advanceTimersByTime(30 * DAY + 20);
  expect(ledger.rotations.open("main")).toBeDefined();
  expect(lines.map((line) => JSON.parse(line))).toContainEqual(expect.objectContaining({ credential: "broken", retryInMs: 5000 }));
  credentials["broken"] = broken as CredentialConfig;
  vi.advanceTimersByTime(5000);
  expect(ledger.rotations.open("broken")).toBeDefined();
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

describe("a rehearsal replaces no key: the schedule does not count from it", () => {
  const rehearse = ({ ledger, scheduler, credentials, clock }: ReturnType<typeof makeScheduler>) => {
    const main = credentials["main"] as CredentialConfig;
    const plan = planFor({ ledger, config: () => ({ providers: {} }) }, main, { now: true, at: clock.now(), rehearsal: true });
    ledger.start({ credential: "main", plan, trigger: "operator", actor: null, reason: null, idempotencyKey: null });
    scheduler.touch("main");
  };

  test.each(["done", "failed", "cancelled", "abandoned"] as const)("when it is %s", (outcome) => {
    const made = makeScheduler();
    made.scheduler.refresh();
    vi.advanceTimersByTime(30 * DAY - 60_000);
    rehearse(made);
    made.end("main", outcome);
    expect(made.scheduler.nextAt("main")).toBe(START + 30 * DAY);
    expect(made.ledger.rotations.failuresSince("main", 0)).toBe(0);
  });

  test("also when a planned time passes while it is open", () => {
    const made = makeScheduler({ credential: { schedule: { cron: "0 4 1 * *", zone: "UTC" } } });
    made.scheduler.refresh();
    const due = made.scheduler.nextAt("main") ?? 0;
    vi.advanceTimersByTime(due - START - HOUR);
    rehearse(made);
    vi.advanceTimersByTime(2 * HOUR);
    made.end("main", "done");
    vi.advanceTimersByTime(1000);
    expect(made.ledger.rotations.open("main")).toMatchObject({ trigger: "schedule", plan: { name: "routine" } });
  });
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

  test("does not wait for a window that its key does not live to see", () => {
    const window = { from: "02:00", to: "05:00", zone: "UTC" };
    const { scheduler, ledger } = makeScheduler({ credential: { schedule: undefined, window } });
    const [key] = ledger.keys.live("main");
    if (key === undefined) throw new Error("no key");
    ledger.keys.update(key.id, { expiresAt: START + 3 * DAY + 13 * HOUR });
    ledger.credentials.pause("main", START, "somebody");
    scheduler.refresh();
    vi.advanceTimersByTime(3 * DAY); // noon, and the key is over an hour before the window opens
    ledger.credentials.resume("main");
    scheduler.touch("main");
    expect(ledger.rotations.open("main")).toMatchObject({ trigger: "schedule", outcome: null });
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
