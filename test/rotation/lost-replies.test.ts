import { describe, expect, test } from "vitest";
import type { Fault } from "../fakes/faults.ts";
import { expectPromisesHold } from "../kill/invariants.ts";
import { putInForce } from "../support/control.ts";
import { adminCalls, CALL_MS, ended, events, SHORT_CALLS, until, withHost } from "./scenario.ts";

const CREATE = { method: "POST", path: "/api_keys$" } as const;
const REVOKE = { method: "DELETE", path: "/api_keys/" } as const;

interface Case {
  readonly name: string;
  readonly fault: Fault;
  readonly times?: number;
}

/** Nobody knows from these whether the work was done. */
const NO_ANSWER: readonly Case[] = [
  { name: "the reply is lost after the work", fault: { do: "loseReply" } },
  { name: "the connection breaks before the work", fault: { do: "dropBefore" } },
  { name: "no answer at all", fault: { do: "hang" } },
  { name: "it is done after we gave up", fault: { do: "delay", ms: CALL_MS * 1.5 } },
  { name: "status 500", fault: { do: "reply", status: 500 } },
  { name: "a page of HTML in its place", fault: { do: "html" } },
];

/** These are answers: nothing was done. */
const REFUSED: readonly Case[] = [{ name: "429 with Retry-After", fault: { do: "rateLimit", retryAfter: "1" }, times: 2 }];

/** What the vendor did without telling leaves a key behind that somebody must find. */
const WORKS = new Set<Fault["do"]>(["loseReply", "delay"]);

describe.concurrent("create", () => {
  test("a key is found under its label where `accounts` was changed while its call was open", { timeout: 120_000 }, () =>
    withHost({ timing: SHORT_CALLS }, async (host) => {
      host.vendor.faults.add({ ...CREATE, times: 1, fault: { do: "loseReply" } });
      const { id } = await host.rotate();
      await until(host, "the call is open", () => adminCalls(host, "POST").length === 1);
      await putInForce(
        host,
        host.config(host.gateway.url, { timing: SHORT_CALLS, provider: { accounts: "per-key", serviceAccount: undefined } }),
      );
      const rotation = await ended(host, id);
      expect(rotation.outcome).toBe("done");
      expect(await events(host, "keyFound")).toHaveLength(1);
      expect(host.liveKeys().map(({ id: live }) => live)).toEqual([rotation.target]);
    }),
  );

  test.each(NO_ANSWER)("$name: one intent a call, and none is repeated blindly", { timeout: 120_000 }, ({ fault }) =>
    withHost({ timing: SHORT_CALLS }, async (host) => {
      host.startLoad();
      host.vendor.faults.add({ ...CREATE, times: 1, fault });
      const { id } = await host.rotate();
      const rotation = await ended(host, id);
      expect(rotation.outcome).toBe("done");

      const calls = adminCalls(host, "POST");
      expect(calls).toHaveLength(2);
      const [first, second] = calls;
      // Counted from the announcement, which is a little older than the request.
      expect((second?.at ?? 0) - (first?.at ?? 0), "the first could no longer take effect").toBeGreaterThan(1.8 * CALL_MS);
      expect(await events(host, "intentMade")).toHaveLength(2);
      expect(await events(host, "keyFound")).toHaveLength(WORKS.has(fault.do) ? 1 : 0);
      expect(await events(host, "intentClosed")).toHaveLength(WORKS.has(fault.do) ? 0 : 1);
      await expectPromisesHold(host, rotation, "made");
    }),
  );

  test.each(REFUSED)("$name: another intent, not before the vendor's own wish", { timeout: 120_000 }, ({ fault, times = 1 }) =>
    withHost({ timing: SHORT_CALLS }, async (host) => {
      host.startLoad();
      host.vendor.faults.add({ ...CREATE, times, fault });
      const { id } = await host.rotate();
      const rotation = await ended(host, id);
      expect(rotation.outcome).toBe("done");
      const calls = adminCalls(host, "POST").map(({ at }) => at);
      expect(calls).toHaveLength(times + 1);
      for (const [index, at] of calls.entries()) if (index > 0) expect(at - (calls[index - 1] ?? 0)).toBeGreaterThanOrEqual(900);
      expect(await events(host, "intentMade")).toHaveLength(times + 1);
      await expectPromisesHold(host, rotation, "made");
    }),
  );

  test("three calls without an answer: a person is asked, and no fourth is made", { timeout: 120_000 }, () =>
    withHost({ timing: SHORT_CALLS }, async (host) => {
      host.vendor.faults.add({ ...CREATE, fault: { do: "hang" } });
      const { id } = await host.rotate();
      const told = await host.host.settled(id);
      expect(told.stuck?.reason).toBe("3 create calls brought no key that can serve");
      expect(adminCalls(host, "POST")).toHaveLength(3);
      host.vendor.faults.clear();
      await host.host.client.call("retry", { name: "main" });
      const rotation = await ended(host, id);
      expect(rotation.outcome).toBe("done");
      await expectPromisesHold(host, rotation, "made");
    }),
  );
});

describe.concurrent("revoke", () => {
  test.each([...NO_ANSWER, ...REFUSED])(
    "$name: seen through to the proof that the key is dead",
    { timeout: 120_000 },
    ({ fault, times = 1 }) =>
      withHost({ timing: SHORT_CALLS }, async (host) => {
        host.startLoad();
        host.vendor.faults.add({ ...REVOKE, times, fault });
        const { id } = await host.rotate();
        const rotation = await ended(host, id);
        expect(rotation.outcome).toBe("done");
        const calls = adminCalls(host, "DELETE").map(({ at }) => at);
        expect(calls.length).toBe(times + 1);
        // The time counts from the announcement, and a busy machine may take a while until the request arrives.
        const apart = fault.do === "rateLimit" ? 900 : 1.5 * CALL_MS;
        for (const [index, at] of calls.entries()) if (index > 0) expect(at - (calls[index - 1] ?? 0)).toBeGreaterThanOrEqual(apart);
        await expectPromisesHold(host, rotation, "made");
      }),
  );
});

describe.concurrent("a vendor that is ill", () => {
  test("status 500 to everything that we ask, for a while: it waits, and ends well", { timeout: 120_000 }, () =>
    withHost({ timing: SHORT_CALLS }, async (host) => {
      host.startLoad();
      host.vendor.faults.add({ path: "/organization/|/models$", times: 12, fault: { do: "reply", status: 500 } });
      const { id } = await host.rotate();
      const rotation = await ended(host, id);
      expect(rotation.outcome).toBe("done");
      await expectPromisesHold(host, rotation, "made");
    }),
  );
});
