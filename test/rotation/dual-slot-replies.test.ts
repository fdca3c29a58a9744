import { describe, expect, test } from "vitest";
import type { Fault } from "../fakes/faults.ts";
import { withSlots } from "../support/slot-host.ts";

const CALL_MS = 1500;
/** A call is open for twice its time-out, counted from its announcement, which is older than the request. */
const LONG_ENOUGH_MS = 1.5 * CALL_MS;
const TIMING = { callTimeout: `${CALL_MS}ms` };
const REGENERATE = { method: "POST", path: "/regenerateKey$" } as const;

/** Nobody knows from these whether the slot was regenerated. */
const NO_ANSWER: readonly { readonly name: string; readonly fault: Fault; readonly works: boolean }[] = [
  { name: "the reply is lost after the work", fault: { do: "loseReply" }, works: true },
  { name: "it is done after we gave up", fault: { do: "delay", ms: CALL_MS * 1.5 }, works: true },
  { name: "the connection breaks before the work", fault: { do: "dropBefore" }, works: false },
  { name: "no answer at all", fault: { do: "hang" }, works: false },
  { name: "status 500", fault: { do: "reply", status: 500 }, works: false },
];

describe.concurrent("regenerating the idle slot", () => {
  test.each(NO_ANSWER)("$name: looked for by its value, and repeated only through the gate", { timeout: 90_000 }, ({ fault, works }) =>
    withSlots({ timing: TIMING }, async (host) => {
      host.startLoad();
      host.vendor.faults.add({ ...REGENERATE, times: 1, fault });
      expect((await host.ended(await host.rotate())).outcome).toBe("done");
      const calls = host.regenerations();
      expect(calls, "a repetition, if nothing was done, and the one that kills").toHaveLength(works ? 2 : 3);
      const [first, second] = calls;
      expect((second?.at ?? 0) - (first?.at ?? 0), "the first could no longer take effect").toBeGreaterThan(LONG_ENOUGH_MS);
      expect(await host.events("intentMade")).toHaveLength(works ? 1 : 2);
      expect(await host.events("keyFound")).toHaveLength(works ? 1 : 0);
      expect(await host.events("intentClosed")).toHaveLength(works ? 0 : 1);
      await host.expectPromisesHold();
    }),
  );
});

describe.concurrent("regenerating the old key's slot", () => {
  test.each(NO_ANSWER)("$name: not again where the value is gone", { timeout: 90_000 }, ({ fault, works }) =>
    withSlots({ timing: TIMING }, async (host) => {
      host.startLoad();
      host.vendor.faults.add({ ...REGENERATE, skip: 1, times: 1, fault });
      expect((await host.ended(await host.rotate())).outcome).toBe("done");
      const [, first, again] = host.regenerations();
      expect(host.regenerations()).toHaveLength(works ? 2 : 3);
      if (again !== undefined) expect(again.at - (first?.at ?? 0)).toBeGreaterThan(LONG_ENOUGH_MS);
      await host.expectPromisesHold();
    }),
  );
});
