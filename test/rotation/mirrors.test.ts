import { mkdirSync, renameSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { expectPromisesHold } from "../kill/invariants.ts";
import type { RotationHost } from "../support/rotation-host.ts";
import { ended, events, KEEP, oldKeyTouched, stuck, until, view, withHost } from "./scenario.ts";

/** A credential whose key is copied to a file of its own and to a field of a shared one. */
async function withMirrors(work: (host: RotationHost) => Promise<void>, first?: string): Promise<void> {
  await withHost({}, async (host) => {
    mkdirSync(host.host.path("copies"), { mode: 0o700 });
    host.host.write("copies/shared.json", JSON.stringify({ other: "not ours", openai: first === undefined ? {} : { key: first } }));
    const config = host.config(host.gateway.url, { credential: { mirrors: mirrorsOf(host) } });
    host.host.configure(config);
    host.host.daemon?.kill("SIGHUP");
    await until(host, "the mirrors are in force", async () => host.host.log.includes("configuration read again"));
    await work(host);
  });
}

const mirrorsOf = (host: RotationHost) => [
  { use: "local", path: host.host.path("copies/plain") },
  { use: "local", path: host.host.path("copies/shared.json"), field: "/openai/key" },
];

const shared = (host: RotationHost) => (JSON.parse(host.host.read("copies/shared.json")) as { openai: { key: string } }).openai.key;
const copies = (host: RotationHost) => [host.host.read("copies/plain"), shared(host)];

describe.concurrent("mirrors", () => {
  test("get a copy after the store, and the rest of their documents is left alone", { timeout: 120_000 }, () =>
    withMirrors(async (host) => {
      host.startLoad();
      const { id } = await host.rotate();
      const rotation = await ended(host, id);
      expect(rotation.outcome).toBe("done");
      expect(copies(host)).toEqual([host.stored(), host.stored()]);
      expect(JSON.parse(host.host.read("copies/shared.json"))).toMatchObject({ other: "not ours" });
      await expectPromisesHold(host, rotation, "made");
    }),
  );

  test("one that is down makes promote wait: nothing is undone, no reload starts, and it goes on by itself", { timeout: 120_000 }, () =>
    withMirrors(async (host) => {
      host.startLoad();
      const { id: first } = await host.rotate();
      expect((await ended(host, first)).outcome).toBe("done");
      const release = KEEP.promote(host);
      const { id } = await host.rotate();
      await host.reaches("promote");
      renameSync(host.host.path("copies"), host.host.path("away"));
      await release();
      await until(host, "promote was tried", async () => (await view(host, id)).lastError !== null);
      expect(await view(host, id)).toMatchObject({ step: "promote", outcome: null });
      expect((await events(host, "consumerReloaded")).filter(({ rotation }) => rotation === id)).toEqual([]);
      await host.host.end("SIGKILL");
      renameSync(host.host.path("away"), host.host.path("copies"));
      await host.host.start();
      const rotation = await ended(host, id);
      expect(rotation.outcome).toBe("done");
      expect(copies(host)).toEqual([host.stored(), host.stored()]);
      await expectPromisesHold(host, rotation, "made", { started: 2 });
    }),
  );

  test("a stranger's value in one ends the rotation before anything is made", { timeout: 120_000 }, () =>
    withMirrors(async (host) => {
      const { id } = await host.rotate();
      const rotation = await ended(host, id);
      expect(rotation).toMatchObject({ outcome: "failed", lastError: { code: "foreign" } });
      expect(await events(host, "intentMade")).toEqual([]);
      expect(shared(host)).toBe("sk-canary-of-somebody");
    }, "sk-canary-of-somebody"),
  );

  test("are written again on the way back", { timeout: 120_000 }, () =>
    withMirrors(async (host) => {
      host.startLoad();
      const release = KEEP.drain(host);
      const { id } = await host.rotate();
      await host.reaches("drain");
      expect(copies(host)).toEqual([host.stored(), host.stored()]);
      expect(host.stored()).not.toBe(host.vendor.key.secret);
      await host.host.client.call("cancel", { name: "main" });
      await release();
      const rotation = await ended(host, id);
      expect(rotation).toMatchObject({ outcome: "cancelled", plan: "back" });
      expect(copies(host)).toEqual([host.vendor.key.secret, host.vendor.key.secret]);
      await expectPromisesHold(host, rotation, "adopted");
    }),
  );

  test("one of which a person put the old key back into is written again before the old key dies", { timeout: 120_000 }, () =>
    withMirrors(async (host) => {
      host.startLoad();
      const release = KEEP.drain(host);
      const { id } = await host.rotate();
      await host.reaches("drain");
      host.host.write("copies/plain", host.vendor.key.secret);
      await release();
      const rotation = await ended(host, id);
      expect(rotation.outcome).toBe("done");
      expect(copies(host)).toEqual([host.stored(), host.stored()]);
      const codes = (await events(host)).map(({ code }) => code);
      expect(codes.filter((code) => code === "keyPromoted")).toHaveLength(2);
      expect(codes.lastIndexOf("keyPromoted")).toBeLessThan(codes.indexOf("keyRevoked"));
      await expectPromisesHold(host, rotation, "made");
    }),
  );

  test("one that a person changed in between stays as it is, and the old key lives until the person is done", { timeout: 120_000 }, () =>
    withMirrors(async (host) => {
      host.startLoad();
      const release = KEEP.drain(host);
      const { id } = await host.rotate();
      await host.reaches("drain");
      host.host.write("copies/shared.json", JSON.stringify({ other: "not ours", openai: { key: "sk-canary-of-somebody" } }));
      await release();
      expect(await stuck(host, id)).toEqual({
        reason: "mirror local holds a value that is not ours",
        hint: `empty it or put the value of ${host.vendor.key.id} back; it is tried again by itself`,
      });
      expect(shared(host)).toBe("sk-canary-of-somebody");
      expect(oldKeyTouched(host)).toBe(false);
      host.host.write("copies/shared.json", JSON.stringify({ other: "not ours", openai: {} }));
      const rotation = await ended(host, id);
      expect(rotation.outcome).toBe("done");
      expect(copies(host)).toEqual([host.stored(), host.stored()]);
      await expectPromisesHold(host, rotation, "made");
    }),
  );
});
