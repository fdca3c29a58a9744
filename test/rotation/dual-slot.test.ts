import { describe, expect, test } from "vitest";
import { RpcRefusal } from "../fakes/gateway/handshake.ts";
import { type SlotHost, withSlots } from "../support/slot-host.ts";

/** The gateway is ill, in a way that says nothing about the key. */
function illAt(host: SlotHost, method: string): () => void {
  host.gateway.knobs.failing.set(method, new RpcRefusal("UNAVAILABLE", "try again", { retryable: true }));
  return () => void host.gateway.knobs.failing.delete(method);
}

/** An earlier rotation ended before its reload: the store holds the second slot's key, the gateway still uses the first one's. */
async function abandonBeforeReload(host: SlotHost): Promise<() => void> {
  const cure = illAt(host, "secrets.reload");
  await host.rotate();
  await host.reaches("reload");
  await host.person.call("abandon", { name: "main" });
  return cure;
}

describe.concurrent("dual-slot", () => {
  test("rotation after rotation takes the other slot, and no request fails", { timeout: 90_000 }, () =>
    withSlots({ signsIn: true, timing: { callTimeout: "10s" } }, async (host) => {
      host.startLoad();
      const slots: string[] = [];
      for (let n = 1; n <= 3; n++) {
        const rotation = await host.ended(await host.rotate());
        expect(rotation).toMatchObject({ outcome: "done", plan: "dual-slot" });
        slots.push(rotation.target?.slice(0, 4) ?? "");
        expect(host.regenerations(), "one makes, one kills").toHaveLength(2 * n);
      }
      expect(slots).toEqual(["Key2", "Key1", "Key2"]);
      await host.expectPromisesHold();
    }),
  );

  test("both keys work during the overlap; cancelled in it, the old one serves again and the new one dies", { timeout: 90_000 }, () =>
    withSlots({}, async (host) => {
      host.startLoad();
      const id = await host.rotate({ overlap: true });
      await host.reaches("drain");
      const [old, made] = host.vendor.vendor.both();
      expect(host.stored()).toBe(made.secret);
      expect([old, made].map(({ secret }) => host.vendor.vendor.accepts(secret))).toEqual([true, true]);
      await host.person.call("cancel", { name: "main" });
      expect(await host.ended(id)).toMatchObject({ outcome: "cancelled", plan: "back" });
      expect(host.stored()).toBe(host.adopted.secret);
      expect(host.vendor.vendor.slot("Key2").id).not.toBe(made.id);
      await host.expectPromisesHold();
    }),
  );

  test("a new key that the vendor refuses is discarded: its slot is regenerated, and nothing was promoted", { timeout: 90_000 }, () =>
    withSlots({ timing: { verify: { times: 3, over: "20ms", deadline: "200ms" } } }, async (host) => {
      host.startLoad();
      host.vendor.vendor.rules.newLagMs = 3_600_000;
      const rotation = await host.ended(await host.rotate());
      expect(rotation).toMatchObject({ outcome: "failed", plan: "discard", lastError: { code: "refused" } });
      expect(host.regenerations()).toHaveLength(2);
      expect(await host.events("keyPromoted")).toEqual([]);
      expect(host.stored()).toBe(host.adopted.secret);
      await host.expectPromisesHold();
    }),
  );

  test("a vendor that refuses to regenerate has changed nothing", { timeout: 90_000 }, () =>
    withSlots({}, async (host) => {
      const before = host.vendor.vendor.both();
      host.vendor.faults.add({ path: "/regenerateKey$", fault: { do: "reply", status: 403 } });
      expect(await host.ended(await host.rotate())).toMatchObject({ outcome: "failed", lastError: { code: "forbidden" } });
      expect(host.vendor.vendor.both()).toEqual(before);
      await host.expectPromisesHold();
    }),
  );

  test("over the limit it waits as long as the vendor wishes", { timeout: 90_000 }, () =>
    withSlots({}, async (host) => {
      host.vendor.faults.add({ path: "/regenerateKey$", times: 1, fault: { do: "rateLimit", retryAfter: "1" } });
      expect((await host.ended(await host.rotate())).outcome).toBe("done");
      const [refused, made] = host.regenerations();
      expect((made?.at ?? 0) - (refused?.at ?? 0)).toBeGreaterThanOrEqual(1000);
      await host.expectPromisesHold();
    }),
  );
});

describe.concurrent("rehearsal", () => {
  test("regenerates the idle slot twice; the consumer is asked, and told nothing", { timeout: 90_000 }, () =>
    withSlots({}, async (host) => {
      host.startLoad();
      const asked: string[] = [];
      host.gateway.onRequest = (name) => void asked.push(name);
      const { rotation } = await host.person.call("rehearse", { name: "main" });
      expect(await host.ended(rotation.id)).toMatchObject({ outcome: "done", plan: "rehearsal" });
      expect(host.regenerations()).toHaveLength(2);
      expect(host.vendor.vendor.slot("Key1")).toBe(host.adopted);
      expect(asked).toContain("models.probe");
      expect(asked).not.toContain("secrets.reload");
      await host.expectPromisesHold();
    }),
  );

  test("leaves a slot alone that may be in use since an abandoned rotation", { timeout: 90_000 }, () =>
    withSlots({}, async (host) => {
      const cure = await abandonBeforeReload(host);
      cure();
      const { rotation } = await host.person.call("rehearse", { name: "main" });
      const ended = await host.ended(rotation.id);
      expect(ended).toMatchObject({ outcome: "failed", lastError: { code: "idleSlotInUse" } });
      expect(ended.lastError?.hint).toContain("rotatectl rotate main");
      expect(host.vendor.vendor.slot("Key1")).toBe(host.adopted);
      expect((await host.ended(await host.rotate())).outcome).toBe("done");
      await host.expectPromisesHold();
    }),
  );
});

describe.concurrent("the gate before create", () => {
  test("a consumer that is not on the current key yet: nothing is regenerated until it was told and seen", { timeout: 90_000 }, () =>
    withSlots({}, async (host) => {
      host.startLoad();
      const cure = await abandonBeforeReload(host);
      const id = await host.rotate();
      await host.until("it waits at create", async () => {
        const { step, lastError } = await host.view(id);
        return step === "create" && lastError !== null;
      });
      expect(host.held(), "the gateway still uses the first slot's key").toBe(host.adopted.secret);
      expect(host.regenerations()).toHaveLength(1);
      cure();
      expect((await host.ended(id)).outcome).toBe("done");
      await host.expectPromisesHold();
    }),
  );

  test(
    "a key that served and was never revoked has its overlap before its slot is regenerated, and its runs end",
    { timeout: 90_000 },
    () =>
      withSlots({}, async (host) => {
        host.startLoad();
        const session = { key: "agent:main:long", modelProvider: "openai", hasActiveRun: true, startedAt: Date.now() };
        host.gateway.runs.sessions.push(session);
        const cure = await abandonBeforeReload(host);
        cure();
        const id = await host.rotate({ overlap: true });
        const looks = () => host.host.log.split('"method":"busySince"').length - 1;
        const before = looks();
        await host.until("it was asked for its runs more than once", () => looks() > before + 3);
        expect((await host.view(id)).dueAt).toBeLessThan(Date.now() + 60_000);
        Object.assign(session, { hasActiveRun: false });
        await host.until("the overlap is waited for", async () => ((await host.view(id)).dueAt ?? 0) > Date.now() + 3_000_000);
        expect(await host.view(id)).toMatchObject({ step: "create", outcome: null });
        expect(host.regenerations(), "so far, only that of the abandoned one").toHaveLength(1);
        expect(host.vendor.vendor.slot("Key1")).toBe(host.adopted);
        await host.rotate();
        expect((await host.ended(id)).outcome).toBe("done");
        expect(host.regenerations(), "the one that made the target killed the debt").toHaveLength(3);
        await host.expectPromisesHold();
      }),
  );
});

describe.concurrent("somebody else regenerates", () => {
  test("the slot that serves, before: it stops, and says what to do", { timeout: 90_000 }, () =>
    withSlots({}, async (host) => {
      host.vendor.vendor.regenerate("Key1");
      const planned = await host.person.call("plan", { name: "main" });
      expect(planned.findings.map(({ code }) => code)).toContain("noSlot");
      const rotation = await host.ended(await host.rotate());
      expect(rotation).toMatchObject({ outcome: "failed", lastError: { code: "noSlot" } });
      expect(rotation.lastError?.hint).toMatch(/put the key that shall serve into the store.*rotatectl adopt main/);
      expect(host.regenerations()).toEqual([]);
    }),
  );

  test(
    "the slot that serves, right before create: it stops; adopted anew, the next rotation brings the consumer along",
    { timeout: 90_000 },
    () =>
      withSlots({}, async (host) => {
        host.vendor.onRequest = ({ path }, phase) => {
          if (path !== "/openai/v1/models" || phase !== "handled") return;
          host.vendor.onRequest = undefined;
          host.vendor.vendor.regenerate("Key1");
        };
        const id = await host.rotate();
        const told = await host.stuck(id);
        expect(told).toMatchObject({ reason: expect.stringContaining(`neither slot holds ${host.adopted.id}`) });
        expect(host.regenerations()).toEqual([]);

        host.store(host.vendor.vendor.slot("Key2").secret);
        await host.person.call("abandon", { name: "main" });
        await host.person.call("adopt", { name: "main" });
        const rotation = await host.ended(await host.rotate());
        expect(rotation).toMatchObject({ outcome: "done", target: expect.stringMatching(/^Key1:/) });
        await host.expectPromisesHold();
      }),
  );

  test("the idle slot, right before create: it is regenerated all the same", { timeout: 90_000 }, () =>
    withSlots({}, async (host) => {
      host.startLoad();
      host.vendor.onRequest = ({ path }, phase) => {
        if (path !== "/openai/v1/models" || phase !== "handled") return;
        host.vendor.onRequest = undefined;
        host.vendor.vendor.regenerate("Key2");
      };
      expect((await host.ended(await host.rotate())).outcome).toBe("done");
      await host.expectPromisesHold();
    }),
  );

  test("the old key's slot during the overlap: what stands there now is not ours and is left alone", { timeout: 90_000 }, () =>
    withSlots({}, async (host) => {
      host.startLoad();
      const id = await host.rotate({ overlap: true });
      await host.reaches("drain");
      const theirs = host.vendor.vendor.regenerate("Key1");
      await host.rotate();
      expect((await host.ended(id)).outcome).toBe("done");
      expect(host.vendor.vendor.slot("Key1")).toBe(theirs);
      await host.expectPromisesHold();
    }),
  );

  test("the new key's slot during the overlap: the old one serves again", { timeout: 90_000 }, () =>
    withSlots({}, async (host) => {
      const id = await host.rotate({ overlap: true });
      await host.reaches("drain");
      const theirs = host.vendor.vendor.regenerate("Key2");
      await host.rotate();
      expect(await host.ended(id)).toMatchObject({ outcome: "failed", plan: "back" });
      expect(host.stored()).toBe(host.adopted.secret);
      expect(host.vendor.vendor.slot("Key2")).toBe(theirs);
      await host.expectPromisesHold();
    }),
  );

  test.each([
    ["that did its work", "loseReply"],
    ["that did nothing", "dropBefore"],
  ] as const)("the slot that serves, while a create %s has no answer: a person decides", { timeout: 90_000 }, (_, fault) =>
    withSlots({ timing: { callTimeout: "600ms" } }, async (host) => {
      host.vendor.faults.add({ path: "/regenerateKey$", times: 1, fault: { do: fault } });
      host.vendor.onRequest = ({ path }, phase) => {
        if (path.endsWith("/regenerateKey") && phase === "before") host.vendor.vendor.regenerate("Key1");
      };
      const told = await host.stuck(await host.rotate());
      expect(told.hint).toContain("rotatectl adopt");
      expect(host.regenerations(), "and no call is made again").toHaveLength(1);
      expect(await host.events("keyFound"), "nor is anything taken for ours").toEqual([]);
    }),
  );
});
