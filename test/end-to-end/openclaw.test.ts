import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startLoad } from "../support/load.ts";
import { GATEWAY_TOKEN } from "../support/openclaw.ts";
import { FileHost } from "./file-host.ts";
import { chatsSince } from "./real-host.ts";

const AGENTS = ["main", "helper"];
const LIMIT_MS = 300_000;

// The proof of two agents costs a gateway some 24 s of processor time, twice a rotation; its users wait beside it on the same cores.
describe("a real OpenClaw gateway under load", { timeout: LIMIT_MS + 60_000 }, () => {
  let real: FileHost;
  beforeAll(async () => {
    real = await FileHost.start(AGENTS);
  }, 180_000);
  afterAll(async () => {
    await real?.stop();
  }, 60_000);

  // Asked in turns, two agents cost the gateway three seconds of processor time a request, one alone 0.7 s (OpenClaw 2026.9.6).
  const load = () => startLoad({ http: real.gateway.http, token: GATEWAY_TOKEN, clients: 4, pauseMs: 5000 });

  test("one key goes through all five steps, and no request fails", async () => {
    const users = load();
    const before = real.vendor.key;
    const id = await real.rotate();
    const rotation = await real.host.settled(id, LIMIT_MS);
    await users.stop();

    expect(rotation.outcome, JSON.stringify(rotation)).toBe("done");
    expect(users.failures).toEqual([]);
    expect(users.served).toBeGreaterThan(5);

    const events = await real.host.client.call("history", { name: "main", limit: 200 });
    const at = (code: string) => events.events.find((event) => event.code === code)?.at ?? 0;
    expect(new Set(chatsSince(real.vendor, at("consumerProven"))), "after validate only the new key is used").toEqual(
      new Set([rotation.target]),
    );
    expect(before.deletedAt).not.toBeNull();
    expect(before.refusals.filter((time) => time > at("keyRevoked") - 50).length, "the old key was seen refused").toBeGreaterThanOrEqual(3);
    expect(events.events.find(({ code }) => code === "consumerProven")?.detail).toMatchObject({ consumer: "gateway", grade: "value" });
    const live = real.vendor.vendor.everyKey().filter(({ deletedAt }) => deletedAt === null);
    expect(live.map((key) => key.id)).toEqual([rotation.target]);
  });

  test.each(["promote", "validate", "revoke"] as const)("SIGKILL of the daemon at %s, and nothing is lost", async (step) => {
    const users = load();
    const key = crypto.randomUUID();
    const id = await real.rotate({ key });
    for (const until = Date.now() + LIMIT_MS; ; await sleep(5)) {
      const { open } = await real.host.show("main");
      if (open?.step === step) break;
      if (open === null || Date.now() > until) throw new Error(`never at ${step}\n${real.host.tail()}`);
    }
    await real.host.end("SIGKILL");
    await real.host.start();
    expect(await real.rotate({ key }), "the same request finds the same rotation").toBe(id);
    const rotation = await real.host.settled(id, LIMIT_MS);
    await users.stop();
    expect(rotation.outcome, JSON.stringify(rotation)).toBe("done");
    expect(users.failures).toEqual([]);
    const live = real.vendor.vendor.everyKey().filter(({ deletedAt }) => deletedAt === null);
    expect(live.map(({ id: keyId }) => keyId)).toEqual([rotation.target]);
  });
});
