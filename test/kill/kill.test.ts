import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import type { RotationView } from "../../src/api-views.ts";
import { expectPromisesHold } from "./invariants.ts";
import { KillHost, nameOf, type Point } from "./kill-host.ts";
import { SCENARIOS, type Scenario } from "./scenarios.ts";

type Counts = Readonly<Record<Point["at"], number>>;

/** Runs a scenario with a kill at `point`, or without one, up to its end, and asks all promises. */
async function run(scenario: Scenario, point: Point | undefined): Promise<Counts> {
  const host = await KillHost.start();
  try {
    await host.launch(point);
    host.inner.startLoad({ clients: 1, pauseMs: 100 });
    await scenario.prepare(host);
    host.arm();
    await scenario.trigger(host).catch(() => undefined);
    const how = await host.killedOrOver();
    const counted = { ...host.counts, commit: host.commits };
    if (point === undefined) expect(how).toBe("over");
    // A run may poll less often than the one that was counted: then it must have ended before the point came.
    else if (how === "over") expect(counted[point.at], "the point was not passed over").toBeLessThan(point.n);
    if (how === "killed") {
      await host.relaunch();
      await scenario.trigger(host).catch(() => undefined);
    }
    const rotation = await ended(host);
    expect(scenario.outcomes, `${rotation.lastError?.message}; ${rotation.stuck?.reason}`).toContain(rotation.outcome);
    await expectPromisesHold(host.inner, rotation, scenario.serves);
    return counted;
  } finally {
    await host.stop();
  }
}

async function ended(host: KillHost): Promise<RotationView> {
  for (const until = Date.now() + 25_000; ; await sleep(20)) {
    const { open, last } = await host.inner.host.show("main");
    const id = open?.id ?? last?.rotation;
    if (id === undefined) throw new Error("no rotation was ever started");
    const { rotation } = await host.inner.host.client.call("watch", { id, after: 0, waitMs: 0 });
    if (rotation.outcome !== null) return rotation;
    if (Date.now() > until) throw new Error(`did not end: ${JSON.stringify(rotation)}\n${host.inner.host.tail()}`);
  }
}

function pointsOf({ commit, vendor, gateway }: Counts): Point[] {
  const count = (n: number) => Array.from({ length: n }, (_, index) => index + 1);
  return [
    ...count(commit).flatMap((n) => (["before", "after"] as const).map((when) => ({ at: "commit", when, n }) as const)),
    ...count(vendor).flatMap((n) => (["before", "handled"] as const).map((when) => ({ at: "vendor", when, n }) as const)),
    ...count(gateway).flatMap((n) => (["before", "handled"] as const).map((when) => ({ at: "gateway", when, n }) as const)),
  ];
}

// How many points there are is known only from a run without a kill, which must end well itself.
const found = await Promise.all(SCENARIOS.map(async (scenario) => ({ scenario, counts: await run(scenario, undefined) })));

describe.each(found)("$scenario.name: SIGKILL of the daemon", ({ scenario, counts }) => {
  for (const point of pointsOf(counts)) test.concurrent(nameOf(point), { timeout: 120_000 }, async () => void (await run(scenario, point)));
});
