import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import type { FakeKey } from "../fakes/anthropic/vendor.ts";
import { IntakeHost } from "../support/intake-host.ts";
import { nameOf, type Point } from "./kill-host.ts";

/**
 * The part of a rotation in which a person takes part: a key is brought, put away, drawn and switched on. The daemon is killed
 * around each commit and each request of that part, and told again what it was told, as a person does who got no answer.
 */
type IntakePoint = Point & { readonly at: "commit" | "vendor" };

/** How many commits there are, and requests that change something: what is only asked leaves the world as the commit before it. */
type Counts = Readonly<Record<IntakePoint["at"], number>>;

const PRELOAD = fileURLToPath(new URL("kill-at-commit.mjs", import.meta.url));
const TIMING = { callTimeout: "1s", proveTimeout: "6s", verify: { times: 3, over: "10ms", deadline: "5s" } };

class Killed {
  readonly inner: IntakeHost;
  readonly made: FakeKey;
  /** It was killed at its point. */
  killed = false;
  readonly #request = crypto.randomUUID();
  #armed = false;
  #vendor = 0;

  static async start(point: IntakePoint | undefined): Promise<Killed> {
    const inner = await IntakeHost.make({ timing: TIMING, preload: [PRELOAD] });
    const made = new Killed(inner, point);
    const at = point?.at === "commit" ? { KILL_AT: `${point.when}:${point.n}` } : {};
    await inner.host.start({ env: { LOG_LEVEL: "info", KILL_COUNT: made.#counter, ...at } });
    await inner.host.client.call("adopt", { name: "main" });
    return made;
  }

  private constructor(inner: IntakeHost, point: IntakePoint | undefined) {
    this.inner = inner;
    this.made = inner.makeKey();
    inner.fake.onRequest = ({ method, path }, phase) => {
      if (!this.#armed || method !== "POST" || path.endsWith("/chat/completions")) return;
      if (phase === "before") this.#vendor += 1;
      if (point?.at === "vendor" && point.when === phase && point.n === this.#vendor) inner.host.daemon?.kill("SIGKILL");
    };
  }

  get #counter(): string {
    return this.inner.host.path("commits");
  }

  get counts(): Counts {
    return { vendor: this.#vendor, commit: readFileSync(this.#counter, "utf8").length };
  }

  /** From here on, points count. */
  arm(): void {
    this.#armed = true;
    writeFileSync(this.#counter, "");
  }

  disarm(): void {
    this.#armed = false;
    rmSync(this.#counter, { force: true });
  }

  bring = () => this.inner.bring(this.made);
  rotate = () => this.inner.rotate(this.#request);

  /** Does it, and once more after a restart when the daemon was killed meanwhile. */
  async insist(what: () => Promise<unknown>): Promise<void> {
    const failure = await what().then(
      () => undefined,
      (error: unknown) => error,
    );
    if (failure === undefined && this.inner.host.alive) return;
    await this.#gone(failure);
    await this.#restart();
    await what();
  }

  async #gone(failure: unknown): Promise<void> {
    for (const limit = Date.now() + 5000; this.inner.host.alive; await sleep(10)) {
      if (Date.now() > limit) throw failure;
    }
  }

  async #restart(): Promise<void> {
    this.killed = true;
    this.disarm();
    await this.inner.host.start({ env: { LOG_LEVEL: "info" } });
  }

  /** Waits until it was killed, or the key was drawn and is on. Restarts it when it was killed. */
  async drawn(ms = 60_000): Promise<void> {
    for (const limit = Date.now() + ms; ; await sleep(15)) {
      if (!this.inner.host.alive) await this.#restart();
      const shown = await this.inner.host.show("main").catch(() => undefined);
      const step = shown?.open?.step;
      if (shown !== undefined && step !== "preflight" && step !== "create") break;
      if (Date.now() > limit) throw new Error(`never drawn: ${JSON.stringify(shown?.open)}\n${this.inner.host.tail()}`);
    }
    this.disarm();
    // Of a commit that was under way at that moment it dies a moment later.
    await sleep(200);
    if (!this.inner.host.alive) await this.#restart();
  }

  async ended(): Promise<void> {
    const { open, last } = await this.inner.host.show("main");
    const { outcome, lastError } = await this.inner.ended(open?.id ?? last?.rotation ?? 0, 60_000);
    expect(outcome, lastError?.message).toBe("done");
  }
}

interface Scenario {
  readonly name: string;
  run(host: Killed): Promise<void>;
}

const SCENARIOS: readonly Scenario[] = [
  {
    name: "into the pool, and out of it",
    async run(host) {
      host.arm();
      await host.insist(host.bring);
      await host.inner.until("it is off", () => host.made.state === "inactive");
      expect(await host.inner.host.show("main"), "I3: the ledger names it").toMatchObject({ pooled: 1, open: null });
      await host.insist(host.rotate);
      await host.drawn();
    },
  },
  {
    name: "to a rotation that waits",
    async run(host) {
      const { id } = await host.rotate();
      await host.inner.wanted(id);
      host.arm();
      await host.insist(host.bring);
      await host.drawn();
    },
  },
];

/** Runs a scenario with a kill at `point`, or without one, up to its end, and asks the promises. */
async function run(scenario: Scenario, point: IntakePoint | undefined): Promise<Counts> {
  const host = await Killed.start(point);
  const { inner, made } = host;
  try {
    let counted: Counts = { vendor: 0, commit: 0 };
    const disarm = host.disarm.bind(host);
    host.disarm = () => {
      counted = host.counts;
      disarm();
      host.disarm = disarm;
    };
    await scenario.run(host);
    await host.ended();
    // A run may poll less often than the one that was counted: then it must have ended before the point came.
    if (point === undefined) expect(host.killed).toBe(false);
    else if (!host.killed) expect(counted[point.at], "the point was not passed over").toBeLessThan(point.n);
    await inner.expectQuiet(made);
    const { keys } = await inner.host.show("main");
    expect(
      keys.filter(({ stage }) => stage !== "current" && stage !== "dead"),
      "I6: every other key is proven dead",
    ).toEqual([]);
    expect(inner.kept(), "dead secrets have left the keep").toHaveLength(1);
    const codes = await inner.codes();
    expect(
      codes.filter((code) => code === "keyBrought"),
      "brought once, however often it was said",
    ).toHaveLength(1);
    expect(
      codes.filter((code) => code === "started"),
      "I10: one request, one rotation",
    ).toHaveLength(1);
    expect(codes).not.toContain("keyUnfit");
    expect(
      inner.fake.vendor
        .everyKey()
        .map(({ state }) => state)
        .toSorted(),
      "I7: nobody else's key was touched",
    ).toEqual(["active", "archived"]);
    await inner.host.end();
    expect(inner.written().includes("canary"), "I9: no secret in log or ledger").toBe(false);
    return counted;
  } finally {
    await inner.stop();
  }
}

function pointsOf({ commit, vendor }: Counts): IntakePoint[] {
  const count = (n: number) => Array.from({ length: n }, (_, index) => index + 1);
  return [
    ...count(commit).flatMap((n) => (["before", "after"] as const).map((when) => ({ at: "commit", when, n }) as const)),
    ...count(vendor).flatMap((n) => (["before", "handled"] as const).map((when) => ({ at: "vendor", when, n }) as const)),
  ];
}

// How many points there are is known only from a run without a kill, which must end well itself.
const found = await Promise.all(SCENARIOS.map(async (scenario) => ({ scenario, counts: await run(scenario, undefined) })));

describe.each(found)("a key is brought $scenario.name: SIGKILL of the daemon", ({ scenario, counts }) => {
  for (const point of pointsOf(counts)) test.concurrent(nameOf(point), { timeout: 150_000 }, async () => void (await run(scenario, point)));
});
