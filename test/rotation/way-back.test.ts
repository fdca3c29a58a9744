import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { expectPromisesHold } from "../kill/invariants.ts";
import { adminCalls, ended, events, KEEP, type Kept, oldKeyTouched, SHORT_CALLS, stuck, until, view, withHost } from "./scenario.ts";

const QUICK_BACK = { timing: { ...SHORT_CALLS, verify: { times: 3, over: "20ms", deadline: "1s" } } };

describe.concurrent("the way back", () => {
  test("a new key that the vendor refuses is thrown away: consumers never see it", { timeout: 120_000 }, () =>
    withHost(QUICK_BACK, async (host) => {
      KEEP.verify(host);
      host.startLoad();
      const { id } = await host.rotate();
      const rotation = await ended(host, id);
      expect(rotation).toMatchObject({ outcome: "failed", plan: "discard", target: host.vendor.key.id });
      expect(await events(host, "keyPromoted")).toEqual([]);
      expect(await events(host, "consumerReloaded")).toEqual([]);
      await expectPromisesHold(host, rotation, "adopted");
    }),
  );

  test("a new key that is refused only through the gateway: the old one comes back", { timeout: 120_000 }, () =>
    // The vendor lists its models for this key, which is all that `verify` asks, and answers no chat.
    withHost({ ...QUICK_BACK, provider: { scopes: ["api.model.read"] } }, async (host) => {
      const { id } = await host.rotate();
      const rotation = await ended(host, id);
      expect(rotation).toMatchObject({ outcome: "failed", plan: "back", target: host.vendor.key.id });
      const [why] = (await events(host, "planChanged")).map(({ detail }) => detail["text"]);
      expect(why).toMatch(/gateway: agent main: the vendor refused the key of openai/);
      expect(oldKeyTouched(host)).toBe(false);
      host.startLoad();
      await until(host, "people are served", () => (host.load?.served ?? 0) > 5);
      await expectPromisesHold(host, rotation, "adopted");
    }),
  );

  test("one of two agents cannot work with it: both go back", { timeout: 120_000 }, () =>
    withHost({ ...QUICK_BACK, agents: ["main", "other"] }, async (host) => {
      host.gateway.runs.acceptsOnly.set("other", host.vendor.key.secret);
      host.startLoad({ agents: ["main"] });
      const { id } = await host.rotate();
      const rotation = await ended(host, id);
      expect(rotation).toMatchObject({ outcome: "failed", plan: "back" });
      expect((await events(host, "planChanged"))[0]?.detail["text"]).toMatch(/agent other: the vendor refused/);
      expect(oldKeyTouched(host)).toBe(false);
      await expectPromisesHold(host, rotation, "adopted");
    }),
  );

  test("somebody deletes the old key during the overlap: it goes on, and ends done", { timeout: 120_000 }, () =>
    withHost({ credential: { overlap: "700ms" } }, async (host) => {
      host.startLoad();
      const { id } = await host.rotate({ overlap: true });
      await host.reaches("drain");
      host.vendor.vendor.deleteKey(host.vendor.key.id);
      const rotation = await ended(host, id);
      expect(rotation).toMatchObject({ outcome: "done", plan: "routine" });
      await expectPromisesHold(host, rotation, "made");
    }),
  );

  test("somebody deletes the old key, and then the new one cannot serve either: another one is made", { timeout: 120_000 }, () =>
    withHost(QUICK_BACK, async (host) => {
      const release = KEEP.verify(host);
      const { id } = await host.rotate();
      await host.reaches("verify");
      host.vendor.vendor.deleteKey(host.vendor.key.id);
      await until(host, "a second key was asked for", () => adminCalls(host, "POST").length === 2);
      await release();
      const rotation = await ended(host, id);
      expect(rotation).toMatchObject({ outcome: "done", plan: "routine" });
      await expectPromisesHold(host, rotation, "made");
    }),
  );

  test("the gateway is down for long: it waits, tells a person, and goes on", { timeout: 120_000 }, () =>
    withHost({ timing: { tellAfter: "1s", reloadSettle: "50ms" } }, async (host) => {
      const resume = KEEP.promote(host);
      const { id } = await host.rotate();
      await host.reaches("promote");
      await host.gateway.down();
      await resume();
      await host.reaches("reload");
      const { reason, hint } = await stuck(host, id);
      expect(reason).toMatch(/gateway/);
      expect(hint).toMatch(/is it running/);
      // Twenty times as long as a contradiction would take to lead back, and five times the longest wait.
      await sleep(1000);
      expect(await view(host, id)).toMatchObject({ step: "reload", plan: "routine", outcome: null });
      expect(adminCalls(host, "DELETE")).toEqual([]);
      await host.gateway.up();
      host.startLoad();
      const rotation = await ended(host, id);
      expect(rotation).toMatchObject({ outcome: "done", plan: "routine" });
      await expectPromisesHold(host, rotation, "made");
    }),
  );
});

const UNTIL_OFF = ["preflight", "create", "verify", "promote", "reload", "validate", "drain"] as const satisfies readonly Kept[];

describe.concurrent("cancel", () => {
  test.each(UNTIL_OFF)("at %s: the old key goes on serving", { timeout: 120_000 }, (step) =>
    withHost({ timing: SHORT_CALLS }, async (host) => {
      host.startLoad();
      const release = KEEP[step](host);
      const { id } = await host.rotate();
      await host.reaches(step);
      await host.host.client.call("cancel", { name: "main" });
      await release();
      const rotation = await ended(host, id);
      expect(rotation.outcome).toBe("cancelled");
      expect(oldKeyTouched(host)).toBe(false);
      await expectPromisesHold(host, rotation, "adopted");
    }),
  );

  test.each(["revoke", "confirm"] as const)("at %s: refused, because the old key is off", { timeout: 120_000 }, (step) =>
    withHost({ timing: SHORT_CALLS }, async (host) => {
      host.startLoad();
      const release = KEEP[step](host);
      const { id } = await host.rotate();
      await host.reaches(step);
      await until(host, "the revoke is announced", () => adminCalls(host, "DELETE").length > 0);
      await expect(host.host.client.call("cancel", { name: "main" })).rejects.toThrow(/is off already/);
      await release();
      const rotation = await ended(host, id);
      expect(rotation.outcome).toBe("done");
      await expectPromisesHold(host, rotation, "made");
    }),
  );

  test("said twice, the second time on the way back: refused, and it goes on", { timeout: 120_000 }, () =>
    withHost({ timing: SHORT_CALLS }, async (host) => {
      KEEP.drain(host);
      const { id } = await host.rotate();
      await host.reaches("drain");
      const release = KEEP.reload(host);
      await host.host.client.call("cancel", { name: "main" });
      await host.reaches("reload");
      await expect(host.host.client.call("cancel", { name: "main" })).rejects.toThrow(/on its way back already/);
      for (const session of host.gateway.runs.sessions) session.hasActiveRun = false;
      await release();
      const rotation = await ended(host, id);
      expect(rotation.outcome).toBe("cancelled");
      await expectPromisesHold(host, rotation, "adopted");
    }),
  );
});
