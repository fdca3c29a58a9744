import { generateKeySync, randomBytes } from "node:crypto";
import pino from "pino";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { instantConfig } from "../../bench/plugs.ts";
import type { Config } from "../../src/config/config.ts";
import { timing, toTiming } from "../../src/config/timing-schema.ts";
import type { Consumer } from "../../src/contract/consumer.ts";
import { AdapterError } from "../../src/contract/errors.ts";
import { watchCalls } from "../../src/itself/calls.ts";
import type { Step } from "../../src/model.ts";
import { connectPlugs } from "../../src/plugs.ts";
import { createEngine } from "../../src/rotation/engine.ts";
import { pinPlan } from "../../src/rotation/plans.ts";
import { createScheduler } from "../../src/scheduler.ts";
import { openDatabase } from "../../src/state/database.ts";
import { openLedger } from "../../src/state/ledger.ts";
import { realClock } from "../../src/world/clock.ts";
import { openNetwork } from "../../src/world/network.ts";
import { openWorld } from "../../src/world/world.ts";

const MINUTE = 60_000;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Engine, scheduler and ledger with the waits of a real installation; what is outside is in memory, and the gateway can be down. */
function openDaemon() {
  const gateway: { isDown: boolean; goesDownAt?: Step | undefined } = { isDown: false };
  const answer = <T>(value: T) => {
    if (gateway.goesDownAt !== undefined && ledger.rotations.open("main")?.step === gateway.goesDownAt) {
      Object.assign(gateway, { isDown: true, goesDownAt: undefined });
    }
    if (gateway.isDown) throw new AdapterError("unreachable", "gateway: connect: no connection was made");
    return value;
  };
  const consumer: Consumer = {
    preflight: async () => answer([]),
    reload: async () => answer({ holds: "expected" }),
    prove: async () => answer({ result: "proven", grade: "value", detail: {} }),
    describe: () => ({ reload: "", prove: "" }),
  };
  const instant = instantConfig(["main"], "/nonexistent");
  const config: Config = { ...instant, timing: toTiming(timing.parse({})) };
  Object.assign(config.consumers["program"]?.definition ?? {}, { connect: () => consumer });

  const ledger = openLedger(openDatabase(":memory:", new URL("../../migrations/", import.meta.url)), realClock);
  ledger.know("main");
  const plugs = connectPlugs(
    config,
    openWorld(openNetwork(config.network), config.stateDirectory),
    watchCalls(realClock, () => {}),
  );
  const common = {
    ledger,
    clock: realClock,
    random: randomBytes,
    installation: "test",
    fingerprintKey: generateKeySync("hmac", { length: 256 }),
  };
  const log = pino({ level: "silent" });
  const engine = createEngine({
    ...common,
    config: () => config,
    plugs: () => plugs,
    log,
    atRest: ({ credential }) => scheduler.touch(credential),
  });
  const scheduler = createScheduler({ ledger, engine, clock: realClock, config: () => config, log });

  function start(plan: "initial" | "routine"): number {
    const consumers = config.credentials["main"]?.consumers ?? [];
    const pinned = pinPlan(plan, { supply: "create", consumers, overlapMs: 0, preflightUntil: null, now: true });
    const request = { trigger: "operator", actor: null, reason: null, idempotencyKey: null } as const;
    const { rotation } = ledger.start({ credential: "main", plan: pinned, ...request });
    scheduler.touch("main");
    return rotation.id;
  }
  const liveKeys = () => plugs.provider("vendor").provider.list(new AbortController().signal);
  return { gateway, ledger, engine, scheduler, start, liveKeys };
}

describe("a gateway that is down for an hour, with the waits of a real installation", () => {
  test.each(["reload", "validate", "revoke"] as const)(
    "from %s on: the rotation waits, a person is told, and it ends by itself",
    async (step) => {
      const { gateway, ledger, engine, scheduler, start, liveKeys } = openDaemon();
      const first = start("initial");
      await vi.advanceTimersByTimeAsync(30 * MINUTE);
      expect(ledger.rotation(first).outcome).toBe("done");
      const [old] = await liveKeys();

      gateway.goesDownAt = step;
      const id = start("routine");
      const now = () => ledger.rotation(id);
      await vi.advanceTimersByTimeAsync(59 * MINUTE);
      expect(now(), "it waits, and does not go back").toMatchObject({ outcome: null, step, lastCode: "unreachable" });
      expect(now().plan.wayBack).toBe(false);
      expect(now().stuckReason, "after a quarter of an hour a person is told").toContain("no connection was made");
      expect(
        (await liveKeys()).map(({ id: key }) => key),
        "both keys work",
      ).toContain(old?.id);

      gateway.isDown = false;
      await vi.advanceTimersByTimeAsync(16 * MINUTE);
      expect(now()).toMatchObject({ outcome: "done", stuckReason: null });
      const live = await liveKeys();
      expect(live).toHaveLength(1);
      expect(ledger.keys.live("main").map(({ stage, vendorId }) => ({ stage, vendorId }))).toEqual([
        { stage: "current", vendorId: live[0]?.id },
      ]);
      scheduler.stop();
      await engine.stop();
    },
  );
});
