import { describe, expect, it } from "vitest";
import { openclaw } from "../../adapters/consumers/openclaw/index.ts";
import { realClock } from "../../src/world/clock.ts";
import { startLoad } from "../support/load.ts";
import { GATEWAY_TOKEN } from "../support/openclaw.ts";
import { clock, fresh, old, scene, signal } from "./openclaw-world.ts";

const quick = { admissionWindow: "200ms" };

describe("the drain of openclaw", () => {
  it("cannot tell before the last run that was admitted must have begun", async () => {
    const { consumer } = await scene();
    expect(await consumer().busySince?.(new Date(), undefined, signal)).toBe("tooEarly");
    expect(await consumer().busySince?.(new Date(Date.now() - 14_000), undefined, signal)).toBe("tooEarly");
    expect(await consumer().busySince?.(new Date(Date.now() - 16_000), undefined, signal)).toEqual([]);
  });

  it("counts all that run where the clock went back behind the reload, and does not wait for its time to come again", async () => {
    const { gateway, consumer } = await scene();
    const session = { key: "agent:main:long", modelProvider: "openai", hasActiveRun: true, startedAt: Date.now() };
    gateway.runs.sessions.push(session);
    const reloadedAt = new Date(Date.now() + 86_400_000);
    expect(await consumer().busySince?.(reloadedAt, undefined, signal)).toEqual(["agent:main:long"]);
    session.hasActiveRun = false;
    expect(await consumer().busySince?.(reloadedAt, ["agent:main:long"], signal)).toEqual([]);
    expect(await consumer().busySince?.(new Date(Date.now() + 60_000), undefined, signal), "a small step").toBe("tooEarly");
  });

  it("waits for a long run that began on the old key, and ends under load", async () => {
    const { gateway, vendor, consumer, write } = await scene({ agents: ["main", "helper"] });
    vendor.delayMs = 100;
    const load = startLoad({ http: gateway.http, token: GATEWAY_TOKEN, agents: ["main", "helper"], clients: 8 });
    const long = gateway.runs.chat("main", undefined, "15 calls: think", () => {});
    const [session] = gateway.runs.sessions.slice(-1);
    await write(fresh);
    expect(await consumer().reload(fresh, signal)).toEqual({ holds: "expected" });
    const reloadedAt = new Date();
    const drain = (earlier: readonly string[] | undefined) => consumer(undefined, quick).busySince?.(reloadedAt, earlier, signal);

    await expect.poll(() => drain(undefined), { timeout: 15_000 }).toContain(session?.key);
    let earlier = (await drain(undefined)) as readonly string[];
    while (earlier.length > 0) {
      const later = (await drain(earlier)) as readonly string[];
      expect(earlier).toEqual(expect.arrayContaining([...later]));
      earlier = later;
    }
    expect(session?.hasActiveRun).toBe(false);
    expect((await long).ok).toBe(true);
    const [seen, had] = [vendor.seen.length, load.served];
    await expect.poll(() => load.served, { timeout: 5_000 }).toBeGreaterThan(had + 8);
    await load.stop();
    expect(vendor.seen.slice(seen)).not.toContain(old.reveal());
    expect(load.failures).toEqual([]);
  });

  it("takes a run that has not said when it began for an old one, and lets it go when it says later", async () => {
    const { gateway, consumer } = await scene();
    const reloadedAt = new Date(Date.now() - 1_000);
    const session = { key: "agent:main:main", modelProvider: "openai", hasActiveRun: true };
    gateway.runs.sessions.push(session);
    const drain = (earlier: readonly string[] | undefined) => consumer(undefined, quick).busySince?.(reloadedAt, earlier, signal);
    expect(await drain(undefined)).toEqual([session.key]);
    expect(await drain([session.key])).toEqual([session.key]);
    Object.assign(session, { startedAt: Date.now() });
    expect(await drain([session.key])).toEqual([]);
  });

  it("does not count what began after the first look", async () => {
    const { gateway, consumer } = await scene();
    gateway.runs.sessions.push({ key: "agent:main:later", modelProvider: "openai", hasActiveRun: true });
    expect(await consumer(undefined, quick).busySince?.(new Date(0), [], signal)).toEqual([]);
    expect(await consumer(undefined, quick).busySince?.(new Date(0), ["agent:main:earlier"], signal)).toEqual([]);
  });

  it("sees the run of a session that all share, which is listed only for those who ask", async () => {
    const { gateway, consumer } = await scene();
    for (const key of ["global", "unknown"]) gateway.runs.sessions.push({ key, modelProvider: "openai", hasActiveRun: true });
    expect(await consumer(undefined, quick).busySince?.(new Date(0), undefined, signal)).toEqual(["global", "unknown"]);
  });

  it("sees the run of an archived session, too", async () => {
    const { gateway, consumer } = await scene();
    gateway.runs.sessions.push({ key: "agent:main:put-away", modelProvider: "openai", hasActiveRun: true, archived: true });
    expect(await consumer(undefined, quick).busySince?.(new Date(0), undefined, signal)).toEqual(["agent:main:put-away"]);
  });

  it("looks at every page", async () => {
    const { gateway, consumer } = await scene();
    const keys = Array.from({ length: 1200 }, (_, n) => `agent:main:${n}`);
    for (const key of keys) gateway.runs.sessions.push({ key, modelProvider: "openai", hasActiveRun: true });
    expect(await consumer(undefined, quick).busySince?.(new Date(0), undefined, signal)).toEqual(keys);
  });

  it("reads the gateway's times by the gateway's clock", async () => {
    const { gateway, world } = await scene();
    const behind = { ...world, clock: { ...clock, now: () => realClock.now() - 60_000 } };
    const use = openclaw.use.parse({ provider: "openai" });
    const consumer = openclaw.connect(
      openclaw.settings.parse({ url: gateway.url, ...quick }),
      use,
      { credential: "prod", consumer: "gateway" },
      behind,
    );
    gateway.runs.sessions.push({ key: "agent:main:old", modelProvider: "openai", hasActiveRun: true, startedAt: Date.now() - 5_000 });
    expect(await consumer.busySince?.(new Date(Date.now() - 62_000), undefined, signal)).toEqual(["agent:main:old"]);
  });
});
