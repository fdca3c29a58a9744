import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { openClient } from "../../src/cli/client.ts";
import type { FaultRule } from "../fakes/faults.ts";
import { randomFrom } from "../support/random.ts";
import { RotationHost } from "../support/rotation-host.ts";
import { expectPromisesHold } from "./invariants.ts";

/** More of them, or others: `SEEDS=100 FIRST=1000 npx vitest run test/kill/random.test.ts`. */
const [SEEDS, FIRST] = [Number(process.env["SEEDS"] ?? 4), Number(process.env["FIRST"] ?? 1)];
const KILLS = 6;

const WORDS = ["fault", "fault", "cancel", "pause", "resume", "now", "retry"] as const;
const FAULTS: readonly FaultRule[] = [
  { method: "POST", times: 1, fault: { do: "loseReply" } },
  { method: "DELETE", times: 1, fault: { do: "loseReply" } },
  { method: "GET", times: 2, fault: { do: "loseReply" } },
  { times: 1, fault: { do: "reply", status: 500 } },
  { method: "DELETE", times: 2, fault: { do: "reply", status: 503 } },
  { method: "POST", times: 1, fault: { do: "reply", status: 503 } },
  { times: 1, fault: { do: "rateLimit", retryAfter: "1" } },
];

/** What people say and what goes wrong, drawn from a seed, with a kill every now and then. What comes of it also hangs on the machine. */
class Storm {
  readonly trace: string[] = [];
  readonly #host: RotationHost;
  readonly #random: () => number;

  constructor(host: RotationHost, seed: number) {
    this.#host = host;
    this.#random = randomFrom(seed);
  }

  #pick<T>(list: readonly [T, ...T[]]): T {
    return list[Math.floor(this.#random() * list.length)] ?? list[0];
  }

  /** Nobody waits for the answer: the daemon may be killed first. */
  #say(word: "now" | "routine" | "cancel" | "pause" | "resume" | "retry"): void {
    const client = openClient(this.#host.host.socket);
    const said =
      word === "now" || word === "routine"
        ? client.call("rotate", { name: "main", now: word === "now" })
        : client.call(word, { name: "main" });
    this.trace.push(word);
    said.then(
      () => this.trace.push(`${word}: done`),
      (error: Error) => this.trace.push(`${word}: ${error.message}`),
    );
  }

  async round(): Promise<void> {
    this.#say(this.#pick(["now", "now", "now", "routine"]));
    for (let left = Math.floor(this.#random() * 3); left > 0; left -= 1) {
      await sleep(this.#random() * 300);
      const word = this.#pick(WORDS);
      if (word !== "fault") this.#say(word);
      else {
        const rule = FAULTS[Math.floor(this.#random() * FAULTS.length)];
        this.trace.push(`fault: ${rule?.method ?? "any"} ${rule?.fault.do}`);
        // What the gateway asks for its users is left alone.
        if (rule !== undefined) this.#host.vendor.faults.add({ path: "/organization/", ...rule });
      }
    }
    await sleep(this.#random() * 700);
    this.trace.push("SIGKILL");
    await this.#host.host.end("SIGKILL");
    await this.#host.host.start();
  }
}

/** Lets everything come to its end, as an operator would who finds it so. */
async function calm(host: RotationHost): Promise<void> {
  host.vendor.faults.clear();
  const client = openClient(host.host.socket);
  await client.call("resume", { name: "main" });
  for (const until = Date.now() + 90_000; ; await sleep(30)) {
    const { open } = await host.host.show("main");
    if (open === null) return;
    if (open.stuck !== null) await client.call("retry", { name: "main" }).catch(() => undefined);
    // An overlap of an hour. It may end meanwhile: then this begins another rotation, which ends as well.
    if (open.step === "drain") await client.call("rotate", { name: "main", now: true });
    if (Date.now() > until) throw new Error(`did not end: ${JSON.stringify(open)}\n${host.host.tail()}`);
  }
}

const seeds = Array.from({ length: SEEDS }, (_, index) => FIRST + index);
test.concurrent.each(seeds)("kills and words at random, seed %i: all comes to its end", { timeout: 240_000 }, async (seed) => {
  const host = await RotationHost.start();
  const storm = new Storm(host, seed);
  try {
    host.addStranger();
    host.startLoad({ clients: 1, pauseMs: 50 });
    for (let kill = 0; kill < KILLS; kill += 1) await storm.round();
    await calm(host);
    const { current } = await host.host.show("main");
    expect(
      host.liveKeys().map(({ id }) => id),
      "one key is left, and the ledger names it",
    ).toEqual([current?.vendorId]);

    // The next one is well, and takes along what a kill has left beside the file, such as the blanks of a pre-flight.
    const { id } = await host.rotate();
    const rotation = await host.host.settled(id);
    expect(rotation.outcome).toBe("done");
    const { events } = await host.host.client.call("history", { name: "main", limit: 1000 });
    await expectPromisesHold(host, rotation, "made", { started: events.filter(({ code }) => code === "started").length });
  } catch (error) {
    throw new Error(`seed ${seed}:\n${storm.trace.join("\n")}`, { cause: error });
  } finally {
    await host.stop();
  }
});
