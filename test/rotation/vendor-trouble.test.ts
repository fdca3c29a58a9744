import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import type { RotationView } from "../../src/api-views.ts";
import { startFakeOpenAi } from "../fakes/openai.ts";
import { openAiVendor } from "../fakes/openai-vendor.ts";
import { startFakeOpenRouter } from "../fakes/openrouter.ts";
import { openRouterVendor } from "../fakes/openrouter-vendor.ts";
import { PlugHost, type Setup } from "../kill/plug-host.ts";

/** A credential on a file that is used all the time; both are gone afterwards. */
async function withCredential(setup: Pick<Setup, "provider" | "vendor" | "lags">, work: (host: PlugHost) => Promise<void>): Promise<void> {
  const host = await PlugHost.make({
    store: "file",
    watched: [],
    timing: { verify: { times: 3, over: "20ms", deadline: "30s" } },
    ...setup,
  });
  try {
    await host.open(undefined);
    void host.load();
    await work(host);
  } finally {
    await host.close();
    await setup.vendor.close();
  }
}

async function expectReplaced(host: PlugHost): Promise<void> {
  const rotation = await host.ended();
  expect(rotation.outcome, rotation.lastError?.message).toBe("done");
  const seen = await host.look();
  expect(seen.shown.keys.map(({ stage }) => stage)).toEqual(["current", "dead"]);
  expect(seen).toMatchObject({ storeWorks: true, consumerHoldsIt: true, oldWorks: false, leaked: false });
  expect(host.refusals, "I1: nobody was refused").toEqual([]);
}

/** Waits for a rotation to tell of this trouble; a slow machine may tell of others before. */
async function told(host: PlugHost, id: number, code: string): Promise<RotationView> {
  for (const limit = Date.now() + 30_000; ; await sleep(20)) {
    const { rotation } = await host.host.client.call("watch", { id, after: 0, waitMs: 0 });
    if (rotation.lastError?.code === code || rotation.outcome !== null) return rotation;
    if (Date.now() > limit) throw new Error(`${JSON.stringify(rotation)}\n${host.host.tail()}`);
  }
}

function newest<Field extends string>(keys: readonly Readonly<Record<Field, number | null>>[], field: Field): number {
  return Math.max(...keys.map((key) => key[field] ?? 0));
}

describe.concurrent("a vendor in trouble", () => {
  test("its listing is in another order on each page: it waits for one that it can trust, and loses no key", {
    timeout: 60_000,
  }, async () => {
    const fake = await startFakeOpenRouter();
    const vendor = openRouterVendor(fake);
    await vendor.addStrangers(150);
    await withCredential({ provider: "openrouter", vendor }, async (host) => {
      const before = await vendor.liveKeys();
      fake.vendor.rules.usedComeFirst = true;
      const { id } = await host.host.rotate("main");
      const waiting = await told(host, id, "inconclusive");
      expect(waiting.outcome).toBeNull();
      expect(waiting.dueAt, "waiting may cure it").not.toBeNull();
      fake.vendor.rules.usedComeFirst = false;
      await expectReplaced(host);
      const [gone, ...more] = before.filter((key) => !fake.vendor.everyKey().some(({ hash }) => hash === key));
      expect(more).toEqual([]);
      expect(gone).toBe((await host.look()).first);
    });
  });

  test("one of its replicas knows what happened later than the other: answers flap, and nothing is called proven", {
    timeout: 60_000,
  }, async () => {
    const [newKeyMs, revokedMs] = [1500, 2500];
    const fake = await startFakeOpenAi();
    await withCredential({ provider: "openai", vendor: openAiVendor(fake), lags: { revokeLag: `${revokedMs}ms` } }, async (host) => {
      // The adopted key is old; what it is called matters to nobody here.
      for (const key of fake.vendor.everyKey()) Object.assign(key, { createdAt: Date.now() - 86_400_000 });
      Object.assign(fake.vendor.lags, { newKeyMs, revokedMs, flaps: true });
      await host.host.rotate("main");
      await expectReplaced(host);
      const { events } = await host.look();
      const at = (code: string) => events.find((event) => event.code === code)?.at ?? Number.NaN;
      // By the vendor's own times: ours say when the ledger heard of it.
      const [made, deleted] = [newest(fake.vendor.everyKey(), "createdAt"), newest(fake.vendor.everyKey(), "deletedAt")];
      expect(at("keyPromoted") - made, "not made current while a replica refused it").toBeGreaterThanOrEqual(newKeyMs);
      expect(at("keyDead") - deleted, "not called dead while a replica accepted it").toBeGreaterThanOrEqual(revokedMs);
    });
  });
});
