import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import type { RotationView } from "../../src/api-views.ts";
import { FAKE_VENDORS, type FakeVendor } from "../fakes/index.ts";
import { PlugHost } from "../kill/plug-host.ts";
import { AWS_TROUBLES, openAwsPlace } from "./trouble/aws.ts";
import type { Trouble, TroubledStore } from "./trouble/trouble.ts";
import { openVaultPlace, VAULT_TROUBLES } from "./trouble/vault.ts";

/** Whether waiting may cure it, and what people read meanwhile. */
function expectTold({ lastError, stuck, dueAt }: RotationView, { code, hint, passes }: Trouble<never>): void {
  expect(lastError).toMatchObject({ code, message: expect.not.stringContaining("canary") });
  if (!passes) expect(stuck?.hint, "a person is told at once").toMatch(hint);
  expect(dueAt, "and it is tried again by itself").not.toBeNull();
}

async function withPlace<Place extends TroubledStore>(
  openPlace: () => Promise<Place>,
  work: (host: PlugHost, place: Place, vendor: FakeVendor) => Promise<void>,
): Promise<void> {
  const [vendor, place] = await Promise.all([FAKE_VENDORS.openai(), openPlace()]);
  const host = await PlugHost.make({
    provider: "openai",
    vendor,
    store: async (made) => place.open(made),
    watched: [],
    timing: { verify: { times: 3, over: "1s", deadline: "60s" }, waits: ["300ms"] },
  });
  try {
    await host.open(undefined);
    await work(host, place, vendor);
  } finally {
    await host.close();
    await vendor.close();
  }
}

async function until(host: PlugHost, id: number, what: (view: RotationView) => boolean): Promise<RotationView> {
  for (const limit = Date.now() + 60_000; ; await sleep(20)) {
    const { rotation } = await host.host.client.call("watch", { id, after: 0, waitMs: 0 });
    if (what(rotation)) return rotation;
    if (rotation.outcome !== null || Date.now() > limit) throw new Error(`${JSON.stringify(rotation)}\n${host.host.tail()}`);
  }
}

async function expectRotated(host: PlugHost): Promise<void> {
  const rotation = await host.ended();
  expect(rotation.outcome, rotation.lastError?.message).toBe("done");
  const seen = await host.look();
  expect(seen.ours, "I3: one live key, and the ledger names it").toEqual([seen.shown.current?.vendorId]);
  expect(seen.ours, "the key was replaced").not.toContain(seen.first);
  expect(seen).toMatchObject({ storeWorks: true, consumerHoldsIt: true, oldWorks: false, leaked: false });
  expect(host.refusals, "I1: nobody was refused").toEqual([]);
}

function asked<Place extends TroubledStore>(openPlace: () => Promise<Place>, troubles: readonly Trouble<Place>[]): void {
  test.each(troubles)("$name, in mid-rotation", { timeout: 120_000 }, (trouble) =>
    withPlace(openPlace, async (host, place) => {
      void host.load();
      const { id } = await host.host.rotate("main");
      await until(host, id, ({ step }) => step === "verify");
      // Parks it right before the store is written.
      await host.host.client.call("pause", { name: "main" });
      await until(host, id, ({ step }) => step === "promote");
      const cure = await trouble.begin(place, host.host);
      await host.host.client.call("resume", { name: "main" });
      const waiting = await until(host, id, ({ lastError }) => lastError !== null);
      expect(waiting.step).toBe("promote");
      expectTold(waiting, trouble);
      await cure();
      await expectRotated(host);
    }),
  );

  test.each(troubles)("$name, before anything was done", { timeout: 120_000 }, (trouble) =>
    withPlace(openPlace, async (host, place, vendor) => {
      const before = await vendor.liveKeys();
      const cure = await trouble.begin(place, host.host);
      const { id } = await host.host.rotate("main");
      if (trouble.passes) {
        expectTold(await until(host, id, ({ lastError }) => lastError !== null), trouble);
        await cure();
        return expectRotated(host);
      }
      const failed = await host.ended();
      expect(failed).toMatchObject({ outcome: "failed", step: "preflight", lastError: { code: trouble.code } });
      const { events } = await host.host.client.call("history", { name: "main", limit: 1000 });
      expect(events.find(({ code }) => code === "ended")?.detail["hint"]).toMatch(trouble.hint);
      expect(await vendor.liveKeys(), "nothing was made").toEqual(before);
      await cure();
      await host.host.rotate("main");
      await expectRotated(host);
    }),
  );

  test("another writer between read and write: both writes stay", { timeout: 120_000 }, () =>
    withPlace(openPlace, async (host, place) => {
      place.meet = () => place.writeBeside("theirs");
      await host.host.rotate("main");
      await expectRotated(host);
      expect(place.meet, "it came between").toBeUndefined();
      expect(await place.beside()).toBe("theirs");
    }),
  );
}

describe.concurrent("vault", () => asked(openVaultPlace, VAULT_TROUBLES));
describe.concurrent("aws-secrets-manager", () => asked(openAwsPlace, AWS_TROUBLES));
