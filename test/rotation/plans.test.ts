import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { openClient } from "../../src/cli/client.ts";
import { expectPromisesHold } from "../kill/invariants.ts";
import { GATEWAY_TOKEN } from "../support/openclaw.ts";
import type { RotationHost } from "../support/rotation-host.ts";
import { adminCalls, ended, events, KEEP, oldKeyTouched, until, view, withHost } from "./scenario.ts";

/** A person with a request of their own; the same key is the same request. */
const person = (host: RotationHost, key: string = crypto.randomUUID()) => openClient(host.host.socket, key);

describe.concurrent("initial", () => {
  test("fills an empty store, and needs no overlap", { timeout: 120_000 }, () =>
    withHost({ empty: true }, async (host) => {
      host.vendor.vendor.deleteKey(host.vendor.key.id);
      const { id } = await host.rotate({ overlap: true });
      const rotation = await ended(host, id);
      expect(rotation).toMatchObject({ outcome: "done", plan: "initial" });
      host.startLoad();
      await until(host, "people are served", () => (host.load?.served ?? 0) > 5);
      expect(JSON.parse(host.host.read("secrets.json"))).toMatchObject({ note: "not ours" });
      await expectPromisesHold(host, rotation, "made");
    }),
  );
});

test("each line of the log about a step says of which rotation it is", { timeout: 120_000 }, () =>
  withHost({}, async (host) => {
    const { id } = await host.rotate();
    await ended(host, id);
    const lines = host.host.log.split("\n").filter((line) => /"msg":"(step done|step answered|rotation ended)"/.test(line));
    expect(lines.length).toBeGreaterThan(10);
    for (const line of lines) expect(JSON.parse(line)).toMatchObject({ credential: "main", rotation: id, step: expect.any(String) });
  }),
);

describe.concurrent("rehearsal", () => {
  test("makes a key and kills it; consumers see nothing", { timeout: 120_000 }, () =>
    withHost({}, async (host) => {
      host.startLoad();
      const asked: string[] = [];
      host.gateway.onRequest = (name, phase) => {
        if (phase === "before") asked.push(name);
      };
      const { rotation: started } = await person(host).call("rehearse", { name: "main" });
      const rotation = await ended(host, started.id);
      expect(rotation).toMatchObject({ outcome: "done", plan: "rehearsal" });
      expect(asked).not.toContain("secrets.reload");
      expect(asked).not.toContain("agent");
      const made = host.vendor.vendor.everyKey().filter(({ id }) => id !== host.vendor.key.id);
      expect(made).toHaveLength(1);
      expect(made[0]?.deletedAt).not.toBeNull();
      await expectPromisesHold(host, rotation, "adopted");
    }),
  );

  test("leaves it alone on its way back, too", { timeout: 120_000 }, () =>
    withHost({ timing: { verify: { times: 3, over: "20ms", deadline: "200ms" } } }, async (host) => {
      const release = KEEP.drain(host);
      await host.rotate();
      await host.reaches("drain");
      await person(host).call("abandon", { name: "main" });
      await release();
      // Only keys that are younger than an hour are refused: the one that serves is older by now.
      for (const key of host.vendor.vendor.everyKey()) Object.assign(key, { createdAt: Date.now() - 86_400_000 });
      host.vendor.vendor.lags.newKeyMs = 3_600_000;
      const { rotation: started } = await person(host).call("rehearse", { name: "main" });
      expect(await ended(host, started.id)).toMatchObject({ outcome: "failed", plan: "discard" });
      expect(oldKeyTouched(host)).toBe(false);
    }),
  );

  test("ends also where the key in use is dead already, and vouches for nothing", { timeout: 120_000 }, () =>
    withHost({}, async (host) => {
      host.vendor.vendor.deleteKey(host.vendor.key.id);
      const { rotation: started } = await person(host).call("rehearse", { name: "main" });
      expect(await ended(host, started.id, 20_000)).toMatchObject({ outcome: "done", plan: "rehearsal" });
      const made = host.vendor.vendor.everyKey().find(({ id }) => id !== host.vendor.key.id);
      expect(made?.deletedAt).not.toBeNull();
    }),
  );

  test("leaves alone what an abandoned rotation left in use", { timeout: 120_000 }, () =>
    withHost({}, async (host) => {
      host.startLoad();
      const release = KEEP.drain(host);
      await host.rotate();
      await host.reaches("drain");
      await person(host).call("abandon", { name: "main" });
      const { rotation: started } = await person(host).call("rehearse", { name: "main" });
      expect(await ended(host, started.id)).toMatchObject({ outcome: "done", plan: "rehearsal" });
      expect(oldKeyTouched(host)).toBe(false);
      await release();
      const { id } = await host.rotate();
      const rotation = await ended(host, id);
      expect(rotation.outcome).toBe("done");
      await expectPromisesHold(host, rotation, "made", { started: 3 });
    }),
  );

  test("is refused while a rotation is open, whose overlap goes on", { timeout: 120_000 }, () =>
    withHost({}, async (host) => {
      host.startLoad();
      await host.rotate({ overlap: true });
      await host.reaches("drain");
      await expect(person(host).call("rehearse", { name: "main" })).rejects.toMatchObject({
        code: "conflict",
        message: "main has an open rotation (routine)",
        hint: "wait until it is over",
      });
      expect((await events(host, "operatorSaid")).map(({ detail }) => detail["said"])).toEqual(["pair"]);
      expect((await host.host.show("main")).open?.step).toBe("drain");
    }),
  );

  test("is not joined by a rotation, which would answer that it is done", { timeout: 120_000 }, () =>
    withHost({}, async (host) => {
      const release = KEEP.create(host);
      const { rotation: started } = await person(host).call("rehearse", { name: "main" });
      const refusal = {
        code: "conflict",
        message: "main has an open rotation (rehearsal)",
        hint: "wait for the rehearsal, or say rotatectl abandon main",
      };
      await expect(person(host).call("rotate", { name: "main", now: true })).rejects.toMatchObject(refusal);
      const all = await person(host).call("rotate", { all: true, now: true });
      expect(all).toEqual({ rotations: [], refused: [{ credential: "main", error: refusal }] });
      expect((await person(host).call("rehearse", { name: "main" })).rotation.id, "another rehearsal is the same").toBe(started.id);
      await release();
    }),
  );

  test("is refused where no key is there to rehearse the replacement of", { timeout: 120_000 }, () =>
    withHost({ empty: true }, async (host) => {
      await expect(person(host).call("rehearse", { name: "main" })).rejects.toThrow(/has no key yet/);
      expect(adminCalls(host, "POST")).toEqual([]);
    }),
  );
});

describe.concurrent("what starts a rotation", () => {
  test("--now cuts the waits of one that is open", { timeout: 120_000 }, () =>
    withHost({}, async (host) => {
      host.startLoad();
      const { id } = await host.rotate({ overlap: true });
      await host.reaches("drain");
      const { rotations } = await person(host).call("rotate", { name: "main", now: true });
      expect(rotations).toMatchObject([{ started: false, rotation: { id } }]);
      const rotation = await ended(host, id);
      expect(rotation.outcome).toBe("done");
      await expectPromisesHold(host, rotation, "made");
    }),
  );

  test("a request that comes twice starts one, also when that is over", { timeout: 120_000 }, () =>
    withHost({}, async (host) => {
      host.startLoad();
      const key = crypto.randomUUID();
      const first = await person(host, key).call("rotate", { name: "main", now: true });
      const second = await person(host, key).call("rotate", { name: "main", now: true });
      const [{ rotation: started } = { rotation: undefined }] = first.rotations;
      const rotation = await ended(host, started?.id ?? 0);
      const third = await person(host, key).call("rotate", { name: "main", now: true });
      expect([first, second, third].map(({ rotations }) => rotations[0]?.started)).toEqual([true, false, false]);
      expect(new Set([first, second, third].map(({ rotations }) => rotations[0]?.rotation.id)).size).toBe(1);
      await expectPromisesHold(host, rotation, "made");
    }),
  );

  test("a request with the key of another one is refused, and does not hurry that one", { timeout: 120_000 }, () =>
    withHost({}, async (host) => {
      const config = host.config(host.gateway.url);
      const store = { ...config.credentials.main.store, field: "/other/apiKey" };
      host.host.configure({ ...config, credentials: { ...config.credentials, other: { ...config.credentials.main, store } } });
      await host.host.end();
      await host.host.start();
      host.startLoad();
      const key = crypto.randomUUID();
      const first = await person(host, key).call("rotate", { name: "main", now: false });
      await host.reaches("drain");
      const refusal = { code: "conflict", hint: "give each request a key of its own" };
      await expect(person(host, key).call("rotate", { name: "other", now: true })).rejects.toMatchObject({
        ...refusal,
        message: "other: the idempotency key belongs to another request, for a rotation of main",
      });
      expect((await events(host, "operatorSaid")).map(({ detail }) => detail["said"])).toEqual(["pair"]);
      await person(host).call("rotate", { name: "main", now: true });
      await ended(host, first.rotations[0]?.rotation.id ?? 0);
      await expect(person(host, key).call("rehearse", { name: "main" }), "also when it is over").rejects.toMatchObject(refusal);
    }),
  );

  test("five people at once start one", { timeout: 120_000 }, () =>
    withHost({}, async (host) => {
      host.startLoad();
      const all = await Promise.all(Array.from({ length: 5 }, () => person(host).call("rotate", { name: "main", now: true })));
      expect(all.filter(({ rotations }) => rotations[0]?.started)).toHaveLength(1);
      const rotation = await ended(host, all[0]?.rotations[0]?.rotation.id ?? 0);
      expect(adminCalls(host, "POST")).toHaveLength(1);
      await expectPromisesHold(host, rotation, "made");
    }),
  );
});

describe.concurrent("drain", () => {
  test("waits for a run that began on the old key, and lets it end well", { timeout: 120_000 }, () =>
    withHost({}, async (host) => {
      const { promise: held, resolve: letGo } = Promise.withResolvers<void>();
      let holding = false;
      host.vendor.onRequest = async ({ path }, phase) => {
        if (holding || !path.endsWith("/chat/completions") || phase !== "before") return;
        holding = true;
        await held;
      };
      // Its second call leaves with the key that it began with.
      const long = fetch(`${host.gateway.http}/v1/chat/completions`, {
        method: "POST",
        headers: { authorization: `Bearer ${GATEWAY_TOKEN}`, "content-type": "application/json" },
        body: JSON.stringify({ model: "openclaw/main", messages: [{ role: "user", content: "2 calls: ping" }] }),
      });
      await until(host, "the long run has begun", () => holding);
      host.startLoad();
      const { id } = await host.rotate();
      await host.reaches("drain");
      await sleep(500);
      expect(await view(host, id)).toMatchObject({ step: "drain", stuck: null });
      expect(adminCalls(host, "DELETE")).toEqual([]);
      const usesBefore = host.vendor.key.uses.length;
      letGo();
      expect((await long).status).toBe(200);
      expect(host.vendor.key.uses.length).toBe(usesBefore + 2);
      const rotation = await ended(host, id);
      expect(rotation.outcome).toBe("done");
      await expectPromisesHold(host, rotation, "made");
    }),
  );

  test("waits while the vendor sees the old key used by anybody", { timeout: 120_000 }, () =>
    // The vendor tells whole seconds, rounded down.
    withHost({ provider: { lastUsedPrecision: "1s", lastUsedLag: "2500ms" } }, async (host) => {
      host.startLoad();
      const somebody = new AbortController();
      const using = (async () => {
        for (; !somebody.signal.aborted; await sleep(20)) await host.vendorAccepts(host.vendor.key.secret);
      })();
      const { id } = await host.rotate();
      await host.reaches("drain");
      await sleep(3500);
      expect(await view(host, id)).toMatchObject({ step: "drain", outcome: null });
      expect(adminCalls(host, "DELETE")).toEqual([]);
      somebody.abort();
      await using;
      await until(host, "it goes on", async () => (await view(host, id)).outcome === "done");
      await expectPromisesHold(host, await view(host, id), "made");
    }),
  );

  test("a wall of new runs does not keep it: only the old ones count", { timeout: 120_000 }, () =>
    withHost({}, async (host) => {
      host.startLoad({ clients: 6, pauseMs: 0 });
      const release = KEEP.drain(host);
      const { id } = await host.rotate();
      await host.reaches("drain");
      await release();
      const rotation = await ended(host, id);
      expect(rotation.outcome).toBe("done");
      expect(await events(host, "stuck")).toEqual([]);
      await expectPromisesHold(host, rotation, "made");
    }),
  );
});
