import { generateKeySync, randomBytes } from "node:crypto";
import pino from "pino";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Config } from "../../src/config/config.ts";
import { type AdapterCode, AdapterError } from "../../src/contract/errors.ts";
import type { Clock } from "../../src/contract/world.ts";
import { createEngine, type Engine } from "../../src/rotation/engine.ts";
import { pinPlan } from "../../src/rotation/plans.ts";
import { drain } from "../../src/rotation/steps/drain.ts";
import { createScheduler } from "../../src/scheduler.ts";
import { openDatabase } from "../../src/state/database.ts";
import { openLedger } from "../../src/state/ledger.ts";
import { realClock } from "../../src/world/clock.ts";
import { key, memoryContext, NOW, scene } from "./memory-context.ts";

const [SECOND, MINUTE, HOUR] = [1000, 60_000, 3_600_000];
const WAITS = [5 * SECOND, MINUTE, 15 * MINUTE];

/** Engine, scheduler and ledger of a daemon whose every plug is unreachable: each turn of a rotation fails, and waits. */
function openDaemon(names: readonly string[]) {
  // Time goes on between any two readings.
  let readings = 0;
  const time = { jumped: 0 };
  const clock: Clock = {
    now: () => Date.now() + time.jumped + readings++,
    monotonic: () => Date.now(),
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    after: realClock.after,
    deadline: () => new AbortController().signal,
  };
  const ledger = openLedger(openDatabase(":memory:", new URL("../../migrations/", import.meta.url)), clock);
  const timing = { waitsMs: WAITS, tellAfterMs: 15 * MINUTE, callTimeoutMs: SECOND };
  const credentials = Object.fromEntries(names.map((name) => [name, { name, provider: "openai", consumers: [] }]));
  const config = () => ({ credentials, timing }) as unknown as Config;
  const failure = { code: "unreachable" as AdapterCode, retryAfterMs: 0 };
  const unreachable = () => {
    throw new AdapterError(failure.code, "nobody is there", failure);
  };
  const lines: Record<string, unknown>[] = [];
  const log = pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const plugs = () => ({ provider: unreachable, mirrors: () => [], store: unreachable, consumers: unreachable, consumer: unreachable });
  const atRest = ({ credential }: { credential: string }) => scheduler.touch(credential);
  const common = {
    ledger,
    clock,
    random: randomBytes,
    installation: "test",
    fingerprintKey: generateKeySync("hmac", { length: 256 }),
    config,
    log,
    atRest,
  };
  const engine: Engine = createEngine({ ...common, plugs });
  const scheduler = createScheduler({ ledger, engine, clock, config, log });
  for (const name of names) ledger.know(name);

  const start = (credential: string) => {
    const plan = pinPlan("routine", { supply: "create", consumers: [], overlapMs: 0, preflightUntil: null, now: true });
    const request = { trigger: "operator", actor: null, reason: null, idempotencyKey: null } as const;
    return ledger.start({ credential, plan, ...request }).rotation;
  };
  return { clock, time, ledger, engine, scheduler, start, lines, failure };
}

test("an overlap whose reload lies in the future, because the clock went back, counts from the jump", async () => {
  const { context } = memoryContext(scene());
  const ahead = {
    ...context,
    rotation: { ...context.rotation, reloadedAt: NOW + 24 * HOUR },
    plan: { ...context.plan, overlapMs: MINUTE },
  };
  expect(await drain({ ...ahead, clockJumpedAt: NOW - 10 * SECOND })).toMatchObject({ go: "again", at: NOW + 50 * SECOND });
  expect(await drain({ ...ahead, clockJumpedAt: NOW - MINUTE })).toMatchObject({ go: "next" });
});

describe("wake-ups", () => {
  beforeEach(() => void vi.useFakeTimers({ now: 1_800_000_000_000 }));
  afterEach(() => void vi.useRealTimers());

  test("a rotation that falls due between two readings of the clock is not forgotten", () => {
    const { clock, ledger, engine, start } = openDaemon(["main"]);
    const rotation = start("main");
    for (let ahead = 0; ahead <= 20; ahead++) {
      ledger.commit(rotation, { rotation: { dueAt: clock.now() + ahead } });
      expect(engine.nextDue(), `due ${ahead} ms from now`).toBeDefined();
    }
  });

  test("one that fails is tried at each of its times, for a day", async () => {
    const { ledger, scheduler, start } = openDaemon(["main"]);
    const { id } = start("main");
    scheduler.refresh();
    await vi.advanceTimersByTimeAsync(24 * HOUR);
    scheduler.stop();
    // At once, after 5 s and after a minute more; then every quarter of an hour.
    const { attempts, stuckReason, outcome } = ledger.rotation(id);
    expect(attempts).toBeGreaterThanOrEqual(96);
    expect(attempts).toBeLessThanOrEqual(100);
    expect({ stuckReason, outcome }).toEqual({ stuckReason: "nobody is there", outcome: null });
  });

  test("what breaks a rule of the ledger is a bug that a person is told of, and not tried every 5 s for ever", async () => {
    const { ledger, scheduler, start } = openDaemon(["main"]);
    const { id } = start("main");
    const commit = vi.spyOn(ledger, "commit").mockImplementationOnce(() => {
      throw new Error("CHECK constraint failed");
    });
    scheduler.refresh();
    await vi.advanceTimersByTimeAsync(MINUTE);
    scheduler.stop();
    expect(ledger.rotation(id)).toMatchObject({ stuckReason: expect.stringContaining("a bug of rotated"), attempts: 1 });
    expect(commit).toHaveBeenCalledTimes(2);
  });

  test("the log says how long it is until the next try, and not since when the step runs", async () => {
    const { ledger, scheduler, start, lines } = openDaemon(["main"]);
    const { id } = start("main");
    ledger.commit(ledger.rotation(id), { rotation: { stepSince: Date.now() - 10 * MINUTE } });
    scheduler.refresh();
    await vi.advanceTimersByTimeAsync(SECOND);
    scheduler.stop();
    expect(lines.filter(({ msg }) => msg === "will retry").map(({ retryInMs }) => retryInMs)).toEqual([expect.closeTo(5 * SECOND, -2)]);
  });

  test("one that a vendor wants to wait for a day is tried no earlier, and a person is told at once", async () => {
    const { ledger, scheduler, start, failure } = openDaemon(["main"]);
    Object.assign(failure, { code: "rateLimited", retryAfterMs: 24 * HOUR });
    const { id } = start("main");
    scheduler.refresh();
    await vi.advanceTimersByTimeAsync(23 * HOUR);
    expect(ledger.rotation(id)).toMatchObject({ attempts: 1, stuckReason: "nobody is there" });
    Object.assign(failure, { retryAfterMs: 0 });
    await vi.advanceTimersByTimeAsync(1.1 * HOUR);
    scheduler.stop();
    expect(ledger.rotation(id).attempts).toBeGreaterThan(1);
  });

  test("one that waits when the wall clock goes back is not asleep until the old time", async () => {
    const { clock, ledger, time, scheduler, start } = openDaemon(["main"]);
    const { id } = start("main");
    scheduler.refresh();
    await vi.advanceTimersByTimeAsync(2 * HOUR);
    const before = ledger.rotation(id).attempts;
    const call = ledger.announce(ledger.rotation(id), "openai", { kind: "create", label: "label", openUntil: clock.now() + MINUTE });
    time.jumped = -30 * 24 * HOUR;
    await vi.advanceTimersByTimeAsync(2 * HOUR);
    scheduler.stop();
    const { attempts, stuckReason } = ledger.rotation(id);
    expect(attempts - before).toBeGreaterThanOrEqual(7);
    expect(stuckReason, "a person is told, as before").toBe("nobody is there");
    expect(call).toBeDefined();
    expect(ledger.keys.openUntil("main", clock.now()), "a call without an answer is not open until the old time").toBeUndefined();
  });

  test("the history of a rotation whose overlap is under way says that the wall clock jumped", async () => {
    const { clock, ledger, time, scheduler, start } = openDaemon(["main", "other"]);
    const [reloaded, fresh] = [start("main"), start("other")];
    ledger.commit(reloaded, { rotation: { reloadedAt: clock.now() } });
    scheduler.refresh();
    for (const jumped of [HOUR, -HOUR]) {
      time.jumped = jumped;
      await vi.advanceTimersByTimeAsync(HOUR);
    }
    scheduler.stop();
    const jumps = (id: number) =>
      ledger.events.ofRotation(id, 0).flatMap(({ code, detail }) => (code === "clockJumped" ? detail["byMs"] : []));
    expect(jumps(reloaded.id)).toEqual([expect.closeTo(HOUR, -3), expect.closeTo(-2 * HOUR, -3)]);
    expect(jumps(fresh.id), "it has no overlap yet").toEqual([]);
  });

  test("what was validated and probed before the wall clock went back is not ahead of what others do with a key now", async () => {
    const { clock, ledger, time, scheduler, start } = openDaemon(["main"]);
    const { id: _, ...row } = key(1);
    const id = ledger.keys.insert({ ...row, probedAt: clock.now() });
    const rotation = start("main");
    ledger.commit(rotation, { rotation: { validatedAt: clock.now() } });
    scheduler.refresh();
    time.jumped = -30 * 24 * HOUR;
    await vi.advanceTimersByTimeAsync(2 * HOUR);
    scheduler.stop();
    expect(ledger.rotation(rotation.id).validatedAt).toBeLessThan(clock.now());
    expect(ledger.keys.get(id)?.probedAt).toBeLessThan(clock.now());
  });

  test("a hundred that are due at once all get their turn, at each of their times", async () => {
    const names = Array.from({ length: 100 }, (_, index) => `credential-${index}`);
    const { ledger, scheduler, start } = openDaemon(names);
    const ids = names.map((name) => start(name).id);
    scheduler.refresh();
    await vi.advanceTimersByTimeAsync(2 * HOUR);
    scheduler.stop();
    for (const id of ids) expect(ledger.rotation(id).attempts).toBeGreaterThanOrEqual(9);
  });

  test("one that was stopped for an operator's word goes on, also when the word was refused", async () => {
    const { ledger, engine, scheduler, start } = openDaemon(["main"]);
    const { id } = start("main");
    const refused = engine.takeOver(id, () => {
      // Somebody else's wake-up comes just now: it must not be the last.
      scheduler.refresh();
      throw new Error("conflict");
    });
    await expect(refused).rejects.toThrow("conflict");
    await vi.advanceTimersByTimeAsync(SECOND);
    scheduler.stop();
    expect(ledger.rotation(id).attempts).toBe(1);
  });
});
