import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startLoad } from "../support/load.ts";
import { GATEWAY_TOKEN } from "../support/openclaw.ts";
import { OwnStoreHost } from "./own-store-host.ts";
import { chatsSince } from "./real-host.ts";

const AGENTS = ["main", "helper"];

describe("a real OpenClaw gateway with its key in its own store, under load", { timeout: 900_000 }, () => {
  let real: OwnStoreHost;
  beforeAll(async () => {
    real = await OwnStoreHost.start(AGENTS);
  }, 300_000);
  afterAll(async () => {
    await real?.stop();
  }, 60_000);

  // Two agents in turns cost a gateway four times as much as one: openclaw.test.ts.
  const load = (agents: readonly string[]) =>
    startLoad({ http: real.gateway.http, token: GATEWAY_TOKEN, agents, clients: 2, pauseMs: 2000 });

  test("one key goes through all five steps, and no request fails", async () => {
    const users = load(AGENTS);
    const old = real.vendor.key;
    const rotation = await real.host.settled(await real.rotate(), 600_000);
    await users.stop();
    expect(rotation.outcome, JSON.stringify(rotation)).toBe("done");
    expect(users.failures).toEqual([]);
    expect(users.served).toBeGreaterThan(5);

    const { events } = await real.host.client.call("history", { name: "main", limit: 200 });
    const at = (code: string) => events.find((event) => event.code === code)?.at ?? 0;
    expect(new Set(chatsSince(real.vendor, at("keyIdle"))), "after the drain only the new key is used").toEqual(new Set([rotation.target]));
    expect(old.deletedAt).not.toBeNull();
    expect(old.refusals.filter((time) => time > at("keyRevoked") - 50).length, "the old key was seen refused").toBeGreaterThanOrEqual(3);
    expect(events.find(({ code }) => code === "consumerProven")?.detail).toMatchObject({ consumer: "gateway", grade: "value" });
    const live = real.vendor.vendor.everyKey().filter(({ deletedAt }) => deletedAt === null);
    expect(live.map(({ id }) => id)).toEqual([rotation.target]);
    expect(real.host.read("key")).toBe(live[0]?.secret);
  });

  test("a restart of the gateway finds the new key in its database", async () => {
    await real.gateway.stop();
    await real.gateway.start();
    const users = load(["main"]);
    const from = Date.now();
    await expect.poll(() => users.served + users.failed, { timeout: 300_000 }).toBeGreaterThan(3);
    await users.stop();
    expect(users.failures).toEqual([]);
    const [live] = real.vendor.vendor.everyKey().filter(({ deletedAt }) => deletedAt === null);
    expect(new Set(chatsSince(real.vendor, from))).toEqual(new Set([live?.id]));
  });

  test("SIGKILL of the daemon at promote, and nothing is lost", async () => {
    const users = load(["main"]);
    const key = crypto.randomUUID();
    const id = await real.rotate({ key });
    for (const until = Date.now() + 200_000; ; await sleep(5)) {
      const { open } = await real.host.show("main");
      if (open?.step === "promote") break;
      if (open === null || Date.now() > until) throw new Error(`never at promote\n${real.host.tail()}`);
    }
    await real.host.end("SIGKILL");
    await real.host.start();
    expect(await real.rotate({ key }), "the same request finds the same rotation").toBe(id);
    const rotation = await real.host.settled(id, 600_000);
    await users.stop();
    expect(rotation.outcome, JSON.stringify(rotation)).toBe("done");
    expect(users.failures).toEqual([]);
    const live = real.vendor.vendor.everyKey().filter(({ deletedAt }) => deletedAt === null);
    expect(live.map(({ id: keyId }) => keyId)).toEqual([rotation.target]);
  });
});
