import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { openClient } from "../../src/cli/client.ts";
import type { Outcome } from "../../src/model.ts";
import { SlotHost } from "../support/slot-host.ts";

/** Where the daemon is killed: at its n-th commit, or around its n-th request to the vendor's management API. */
type Point =
  | { readonly at: "commit"; readonly when: "before" | "after"; readonly n: number }
  | { readonly at: "call"; readonly when: "before" | "handled"; readonly n: number };

interface Scenario {
  readonly name: string;
  /** Brings it to where the points begin. */
  readonly prepare?: (host: SlotHost) => Promise<void>;
  readonly say: "rotate" | "rehearse" | "cancel";
  readonly outcomes: readonly Outcome[];
  readonly serves: "adopted" | "made";
}

const SCENARIOS: readonly Scenario[] = [
  { name: "routine", say: "rotate", outcomes: ["done"], serves: "made" },
  { name: "rehearsal", say: "rehearse", outcomes: ["done"], serves: "adopted" },
  {
    name: "back: cancelled during the overlap",
    prepare: async (host) => {
      await host.rotate({ overlap: true });
      await host.reaches("drain");
    },
    say: "cancel",
    outcomes: ["cancelled"],
    serves: "adopted",
  },
];

const PRELOAD = fileURLToPath(new URL("kill-at-commit.mjs", import.meta.url));
const TIMING = {
  callTimeout: "1s",
  verify: { times: 3, over: "10ms", deadline: "500ms" },
  confirm: { times: 3, apart: "5ms", limit: "20s" },
};

/** A request to the management API, and how many commits there were before it. */
interface Call {
  readonly path: string;
  readonly commits: number;
}

/** Runs a scenario with a kill at `point`, or without one, up to its end, and asks all promises. */
async function run({ prepare, say, outcomes, serves }: Scenario, point: Point | undefined): Promise<readonly Call[]> {
  const host = await SlotHost.make({ timing: TIMING, preload: [PRELOAD] });
  const countFile = host.host.path("commits");
  const commits = () => readFileSync(countFile, "utf8").length;
  const calls: Call[] = [];
  const key = crypto.randomUUID();
  const trigger = () =>
    openClient(host.host.socket, key).call(say, { name: "main", ...(say === "rotate" && { now: true }) } as { name: string; now: boolean });
  try {
    const at = point?.at === "commit" ? { KILL_AT: `${point.when}:${point.n}` } : {};
    await host.host.start({ env: { LOG_LEVEL: "info", KILL_COUNT: countFile, ...at } });
    await host.person.call("pair", { consumer: "gateway" });
    await host.person.call("adopt", { name: "main" });
    host.startLoad({ pauseMs: 100 });
    await prepare?.(host);

    host.vendor.onRequest = ({ path }, phase) => {
      if (path.startsWith("/openai/")) return;
      if (phase === "before") calls.push({ path, commits: commits() });
      if (point?.at === "call" && point.when === phase && point.n === calls.length) host.host.daemon?.kill("SIGKILL");
    };
    writeFileSync(countFile, "");
    await trigger().catch(() => undefined);
    const how = await killedOrOver(host);
    const seen = [...calls];
    const counted = point?.at === "commit" ? commits() : seen.length;
    if (point === undefined) expect(how).toBe("over");
    // A run may poll less often than the one that was counted: then it must have ended before the point came.
    else if (how === "over") expect(counted, "the point was not passed over").toBeLessThan(point.n);
    host.vendor.onRequest = undefined;
    if (how === "killed") {
      rmSync(countFile, { force: true });
      await host.host.start({ env: { LOG_LEVEL: "info" } });
      await trigger().catch(() => undefined);
    }
    const { open, last } = await host.host.show("main");
    const rotation = await host.ended(open?.id ?? last?.rotation ?? 0);
    expect(outcomes, `${rotation.lastError?.message}; ${rotation.stuck?.reason}`).toContain(rotation.outcome);
    expect(host.stored() === host.adopted.secret, `the ${serves} key serves`).toBe(serves === "adopted");
    await host.expectPromisesHold();
    return seen;
  } finally {
    await host.stop();
  }
}

async function killedOrOver(host: SlotHost, ms = 40_000): Promise<"killed" | "over"> {
  for (const until = Date.now() + ms; ; await sleep(40)) {
    if (!host.host.alive) return "killed";
    if (Date.now() > until) throw new Error(`neither killed nor over:\n${host.host.tail()}`);
    const over = await host.host.show("main").then(
      ({ open }) => open === null,
      () => false,
    );
    if (over) return "over";
  }
}

/**
 * Around every call that regenerates, and at the commits on both sides of it; after every one that lists, since before it is
 * where the commit or the call before was.
 */
function pointsOf(calls: readonly Call[]): readonly Point[] {
  const regenerates = ({ path }: Call) => path.endsWith("/regenerateKey");
  const around = calls.flatMap((call, index) =>
    (["before", "handled"] as const).flatMap((when) =>
      when === "handled" || regenerates(call) ? [{ at: "call", when, n: index + 1 } as const] : [],
    ),
  );
  const beside = new Set(calls.filter(regenerates).flatMap(({ commits }) => [commits, commits + 1]));
  const commits = [...beside].flatMap((n) => (["before", "after"] as const).map((when) => ({ at: "commit", when, n }) as const));
  return [...around, ...commits];
}

// Which points there are is known only from a run without a kill, which must end well itself.
const found = await Promise.all(SCENARIOS.map(async (scenario) => ({ scenario, calls: await run(scenario, undefined) })));

describe.each(found)("dual-slot, $scenario.name: SIGKILL of the daemon", ({ scenario, calls }) => {
  for (const point of pointsOf(calls)) {
    test.concurrent(`${point.when} ${point.at} ${point.n}`, { timeout: 90_000 }, async () => void (await run(scenario, point)));
  }
});
