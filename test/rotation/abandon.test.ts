import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import type { Step } from "../../src/model.ts";
import { expectPromisesHold } from "../kill/invariants.ts";
import type { RotationHost } from "../support/rotation-host.ts";
import { adminCalls, CALL_MS, ended, events, KEEP, type Kept, SHORT_CALLS, stuck, until, view, withHost } from "./scenario.ts";

describe.concurrent("abandon", () => {
  test.each(Object.keys(KEEP) as Kept[])("at %s calls nobody, and the next rotation settles everything", { timeout: 120_000 }, (step) =>
    withHost({ timing: SHORT_CALLS }, async (host) => {
      host.startLoad();
      const release = KEEP[step](host);
      const first = await host.rotate();
      await host.reaches(step);
      if (step === "revoke") await until(host, "it has asked", () => adminCalls(host, "DELETE").length > 0);
      if (step === "create") await until(host, "it has asked", () => adminCalls(host, "POST").length > 0);
      await host.host.client.call("abandon", { name: "main" });
      expect((await view(host, first.id)).outcome).toBe("abandoned");

      await release();
      const second = await host.rotate();
      expect(second.id).not.toBe(first.id);
      const rotation = await ended(host, second.id);
      expect(rotation.lastError).toBeNull();
      expect(rotation.outcome).toBe("done");
      await expectPromisesHold(host, rotation, "made", { started: 2 });
    }),
  );

  test("while a revoke is under way: its answer is awaited, and the next one is not begun", { timeout: 120_000 }, () =>
    withHost({ timing: SHORT_CALLS }, async (host) => {
      host.startLoad();
      const release = KEEP.drain(host);
      await host.rotate();
      await host.reaches("drain");
      await host.host.client.call("abandon", { name: "main" });
      await release();
      host.vendor.faults.add({ method: "DELETE", path: "/api_keys/", times: 1, fault: { do: "delay", ms: CALL_MS / 2 } });
      const { id } = await host.rotate();
      await until(host, "it has asked", () => adminCalls(host, "DELETE").length > 0);
      await host.host.client.call("abandon", { name: "main" });
      expect((await view(host, id)).outcome).toBe("abandoned");
      expect(await events(host, "keyRevoked")).toHaveLength(1);
      expect(adminCalls(host, "DELETE")).toHaveLength(1);

      const rotation = await ended(host, (await host.rotate()).id);
      expect(rotation.outcome).toBe("done");
      await expectPromisesHold(host, rotation, "made", { started: 3 });
    }),
  );
});

describe.concurrent("pause", () => {
  test("parks before the next side effect, and resume goes on", { timeout: 120_000 }, () =>
    withHost({}, async (host) => {
      host.startLoad();
      const resume = KEEP.promote(host);
      const { id } = await host.rotate();
      await host.reaches("promote");
      await until(host, "it is parked", async () => ((await view(host, id)).dueAt ?? 0) > Date.now() + 60_000);
      expect(host.stored()).toBe(host.vendor.key.secret);
      await resume();
      const rotation = await ended(host, id);
      expect(rotation.outcome).toBe("done");
      await expectPromisesHold(host, rotation, "made");
    }),
  );

  test("retry and cancel say that nothing happens before resume", { timeout: 120_000 }, () =>
    withHost({}, async (host) => {
      const resume = KEEP.promote(host);
      const { id } = await host.rotate();
      await host.reaches("promote");
      await until(host, "it is parked", async () => ((await view(host, id)).dueAt ?? 0) > Date.now() + 60_000);
      const said = async (word: "retry" | "cancel") => (await host.host.client.call(word, { name: "main" })).message;
      expect(await said("retry")).toBe("promote is tried again after: rotatectl resume main");
      expect(await said("cancel")).toMatch(/^the way back begins after: rotatectl resume main; /);
      await resume();
      expect((await ended(host, id)).outcome).toBe("cancelled");
    }),
  );

  test("in the overlap: it waits before the revoke, for as long as it takes", { timeout: 120_000 }, () =>
    withHost({}, async (host) => {
      host.startLoad();
      const release = KEEP.drain(host);
      const { id } = await host.rotate();
      await host.reaches("drain");
      await host.host.client.call("pause", { name: "main" });
      await release();
      await host.reaches("disable");
      await until(host, "it is parked", async () => ((await view(host, id)).dueAt ?? 0) > Date.now() + 60_000);
      expect(adminCalls(host, "DELETE")).toEqual([]);
      await host.host.client.call("resume", { name: "main" });
      const rotation = await ended(host, id);
      expect(rotation.outcome).toBe("done");
      await expectPromisesHold(host, rotation, "made");
    }),
  );

  test("a new rotation is refused meanwhile", { timeout: 120_000 }, () =>
    withHost({}, async (host) => {
      await host.host.client.call("pause", { name: "main" });
      await expect(host.rotate()).rejects.toThrow(/is paused/);
      expect(await events(host, "started")).toEqual([]);
    }),
  );
});

describe.concurrent("stuck", () => {
  const LIMITS = { drainLimit: "300ms", confirm: { times: 3, apart: "10ms", limit: "300ms" } };
  const cases: readonly { step: Kept & Step; reason: RegExp; hint: RegExp }[] = [
    { step: "drain", reason: /runs that began on the old key: gateway: agent:main:long/, hint: /rotatectl retry/ },
    { step: "confirm", reason: /the vendor still knows key_/, hint: /delete it in the vendor's console, then: rotatectl retry/ },
  ];

  test.each(cases)("$step: a limit that ran out names the cause, and retry clears it", { timeout: 120_000 }, ({ step, reason, hint }) =>
    withHost({ timing: LIMITS }, async (host) => {
      host.startLoad();
      const release = KEEP[step](host);
      const { id } = await host.rotate();
      const told = await stuck(host, id);
      expect(told.reason).toMatch(reason);
      expect(told.hint).toMatch(hint);
      expect(await view(host, id)).toMatchObject({ step, dueAt: null });
      await release();
      await host.host.client.call("retry", { name: "main" });
      const rotation = await ended(host, id);
      expect(rotation.outcome).toBe("done");
      await expectPromisesHold(host, rotation, "made");
    }),
  );
});

describe.concurrent("a word while another one waits for a call to answer", () => {
  const SLOW = { timing: { callTimeout: "20s" } };
  /** A rotation whose revoke gets no answer, and the first word about it, which gives the call 2 s. */
  const stopped = async (host: RotationHost) => {
    const release = KEEP.revoke(host);
    await host.rotate();
    await until(host, "it has asked", () => adminCalls(host, "DELETE").length > 0);
    const first = host.host.client.call("retry", { name: "main" });
    await sleep(300);
    return { first, release };
  };

  test("is heard after that one", { timeout: 120_000 }, () =>
    withHost(SLOW, async (host) => {
      const { first, release } = await stopped(host);
      const second = host.host.client.call("abandon", { name: "main" });
      expect((await first).message).toContain("is tried again now");
      expect((await second).rotation.outcome).toBe("abandoned");
      release();
    }),
  );

  test("also a SIGTERM, which ends the daemon well", { timeout: 120_000 }, () =>
    withHost(SLOW, async (host) => {
      const { first } = await stopped(host);
      const told = first.catch((error: unknown) => error);
      await host.host.end("SIGTERM");
      expect(host.host.daemon?.exitCode).toBe(0);
      await told;
    }),
  );
});
