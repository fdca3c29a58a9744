import { describe, expect, test } from "vitest";
import { type FakeGateway, startFakeGateway } from "../fakes/gateway.ts";
import { expectPromisesHold } from "../kill/invariants.ts";
import { Host } from "../support/host.ts";
import { type Load, startLoad } from "../support/load.ts";
import { GATEWAY_TOKEN, openclawJson } from "../support/openclaw.ts";
import type { RotationHost } from "../support/rotation-host.ts";
import { ended, events, KEEP, oldKeyTouched, until, view, withHost } from "./scenario.ts";

/** One credential of two gateways, which read the same file. */
async function withTwoGateways(work: (host: RotationHost, other: FakeGateway) => Promise<void>): Promise<void> {
  await withHost({}, async (host) => {
    const file = openclawJson({ vendor: host.vendor.url, secretFile: host.host.path("secrets.json") });
    const other = await startFakeGateway(file, { cooldownMs: 2000 });
    let users: Load | undefined;
    try {
      const consumers = [
        { use: "gateway", provider: "openai" },
        { use: "other", provider: "openai" },
      ];
      const config = host.config(host.gateway.url, { credential: { consumers } });
      const second = { type: "openclaw", url: other.url, token: Host.credential(host.host, "gateway"), admissionWindow: "50ms" };
      host.host.configure({ ...config, consumers: { ...config.consumers, other: second } });
      host.host.daemon?.kill("SIGHUP");
      await until(host, "both are in force", async () => host.host.log.includes("configuration read again"));
      await host.host.client.call("pair", { consumer: "other" });
      host.startLoad();
      users = startLoad({ http: other.http, token: GATEWAY_TOKEN, clients: 1, pauseMs: 20 });
      await work(host, other);
      await users.stop();
    } finally {
      await users?.stop();
      await other.close();
    }
  });
}

const held = (gateway: FakeGateway) => gateway.secrets.active("models.providers.openai.apiKey");
const oldLives = (host: RotationHost) => host.liveKeys().some(({ id }) => id === host.vendor.key.id);

describe.concurrent("two gateways", () => {
  test("are both proven before the old key dies", { timeout: 120_000 }, () =>
    withTwoGateways(async (host, other) => {
      const { id } = await host.rotate();
      const rotation = await ended(host, id);
      expect(rotation.outcome).toBe("done");
      expect(held(other)).toBe(host.stored());
      const seen = await events(host);
      const revoked = seen.findIndex(({ code }) => code === "keyRevoked");
      const proven = seen.slice(0, revoked).filter(({ code }) => code === "consumerProven");
      expect(new Set(proven.map(({ detail }) => detail["consumer"]))).toEqual(new Set(["gateway", "other"]));
      await expectPromisesHold(host, rotation, "made");
    }),
  );

  test("of which one is down when the key changes: reload waits, the old key lives, and it goes on by itself", { timeout: 120_000 }, () =>
    withTwoGateways(async (host, other) => {
      const release = KEEP.promote(host);
      const { id } = await host.rotate();
      await host.reaches("promote");
      await other.down();
      await release();
      await until(
        host,
        "reload was tried",
        async () => (await view(host, id)).step === "reload" && (await view(host, id)).lastError !== null,
      );
      expect(await view(host, id)).toMatchObject({ step: "reload", outcome: null, lastError: { code: "unreachable" } });
      expect(held(other), "what it has loaded stays").toBe(host.vendor.key.secret);
      expect([oldLives(host), oldKeyTouched(host)]).toEqual([true, false]);
      await other.up();
      const rotation = await ended(host, id);
      expect(rotation.outcome).toBe("done");
      expect(held(other)).toBe(host.stored());
      await expectPromisesHold(host, rotation, "made");
    }),
  );

  test("of which one goes down at the end: the gate stays closed, and the old key lives until it is back", { timeout: 120_000 }, () =>
    withTwoGateways(async (host, other) => {
      const release = KEEP.drain(host);
      const { id } = await host.rotate();
      await host.reaches("drain");
      await other.down();
      await release();
      await until(host, "the gate was tried", async () => (await view(host, id)).lastError?.code === "unreachable");
      expect([oldLives(host), oldKeyTouched(host)]).toEqual([true, false]);
      expect((await view(host, id)).outcome).toBeNull();
      await other.up();
      const rotation = await ended(host, id);
      expect(rotation.outcome).toBe("done");
      await expectPromisesHold(host, rotation, "made");
    }),
  );
});
