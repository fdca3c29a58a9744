import { afterEach, expect, test, vi } from "vitest";
import { Secret } from "../../src/contract/secret.ts";
import { RotationHost } from "../support/rotation-host.ts";
import { ended, events } from "./scenario.ts";

let host: RotationHost;
afterEach(() => host?.stop());
// Whole rotations, on a machine that may be busy.
vi.setConfig({ testTimeout: 60_000 });

/** A key that a person makes by hand, at a vendor that has a call for it as well. */
function makeKey() {
  return host.vendor.vendor.addKey(host.vendor.account, "by hand");
}

const bring = (secret: string) => host.host.client.call("intake", { name: "main", secret: new Secret(secret) });
const creates = () => host.vendor.log.filter(({ method, path }) => method === "POST" && path.endsWith("/api_keys")).length;

test("a key that is brought is used before another one is made", async () => {
  host = await RotationHost.start();
  const made = makeKey();
  expect((await bring(made.secret)).message).toBe(
    `${made.id} was taken in; it waits in the pool, and is on at the vendor: the vendor cannot switch keys off`,
  );
  const plan = await host.host.client.call("plan", { name: "main" });
  expect(plan.effects.find(({ step }) => step === "create")?.effect).toMatch(/^takes a key out of the pool; where none can serve, creates/);
  const { id } = await host.rotate();
  expect(await ended(host, id)).toMatchObject({ plan: "intake", outcome: "done" });
  expect(host.liveKeys().map((key) => key.id)).toEqual([made.id]);
  expect(host.stored()).toBe(made.secret);
  expect(creates()).toBe(0);
});

test("where no key of the pool can serve, the vendor makes one, and nobody is asked", async () => {
  host = await RotationHost.start();
  const made = makeKey();
  await bring(made.secret);
  host.vendor.vendor.deleteKey(made.id);
  const { id } = await host.rotate();
  expect(await ended(host, id)).toMatchObject({ plan: "routine", outcome: "done" });
  expect(creates()).toBe(1);
  expect(await events(host, "keyUnfit")).toMatchObject([{ detail: { keyId: made.id, why: "the vendor lists it no more" } }]);
  const { keys } = await host.host.show("main");
  expect(keys.filter(({ stage }) => stage !== "current" && stage !== "dead")).toEqual([]);
});

test("a key that is brought while a rotation makes one waits for the next rotation", async () => {
  host = await RotationHost.start();
  const { id } = await host.rotate({ overlap: true });
  await host.reaches("drain");
  const made = makeKey();
  expect((await bring(made.secret)).message).toContain("waits in the pool");
  await host.host.client.call("cancel", { name: "main" });
  await ended(host, id);
  expect((await host.host.show("main")).keys).toContainEqual(expect.objectContaining({ vendorId: made.id, stage: "pooled" }));
  expect(await ended(host, (await host.rotate()).id)).toMatchObject({ plan: "intake", outcome: "done" });
  expect(host.stored()).toBe(made.secret);
});
