import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, describe, expect, test } from "vitest";
import { PROVIDERS, type ProviderName } from "../../providers/index.ts";
import type { RotationView } from "../../src/api-views.ts";
import { FAKE_VENDORS, type FakeVendor } from "../fakes/index.ts";
import { type FakeOpenAi, startFakeOpenAi } from "../fakes/openai.ts";
import { PlugHost } from "../kill/plug-host.ts";
import { Host, QUICK_TIMING } from "../support/host.ts";
import { READER } from "./two-places-host.ts";

/** The vendors that create keys when asked to: where they do not tell how much room an account has, the create call does. */
const creating = (
  await Promise.all(
    (Object.keys(PROVIDERS) as ProviderName[]).map(async (name) => ((await PROVIDERS[name]()).supply === "create" ? [name] : [])),
  )
).flat();
const vendors = new Map(await Promise.all(creating.map(async (name) => [name, await FAKE_VENDORS[name]()] as const)));
afterAll(async () => {
  for (const vendor of vendors.values()) await vendor.close();
});

async function withCredential(name: ProviderName, work: (host: PlugHost, vendor: FakeVendor) => Promise<void>): Promise<void> {
  const vendor = vendors.get(name);
  if (vendor === undefined) throw new Error(`no vendor ${name}`);
  await vendor.makeRoom?.();
  const host = await PlugHost.make({ provider: name, vendor, store: "file", watched: [] });
  try {
    await host.open(undefined);
    await work(host, vendor);
  } finally {
    vendor.reset();
    await host.close();
  }
}

async function until(host: Host, id: number, what: (rotation: RotationView) => boolean): Promise<RotationView> {
  for (const limit = Date.now() + 30_000; ; await sleep(20)) {
    const { rotation } = await host.client.call("watch", { id, after: 0, waitMs: 0 });
    if (what(rotation)) return rotation;
    if (Date.now() > limit) throw new Error(`${JSON.stringify(rotation)}\n${host.tail()}`);
  }
}

async function expectReplaced(host: PlugHost): Promise<void> {
  const rotation = await host.ended();
  expect(rotation.outcome, rotation.lastError?.message).toBe("done");
  const seen = await host.look();
  expect(seen.ours, "I3: one live key, and the ledger names it").toEqual([seen.shown.current?.vendorId]);
  expect(seen).toMatchObject({ storeWorks: true, consumerHoldsIt: true, oldWorks: false, leaked: false });
}

describe.concurrent("a create that the vendor refuses", () => {
  test.each(creating)("%s", { timeout: 90_000 }, (name) =>
    withCredential(name, async (host, vendor) => {
      const before = await vendor.liveKeys();
      vendor.addFault({ ...vendor.createCall, fault: { do: "reply", status: 403 } });
      const { id: full } = await host.host.rotate("main");
      const failed = await until(host.host, full, ({ outcome }) => outcome !== null);
      expect(failed, "for good: it fails").toMatchObject({
        outcome: "failed",
        lastError: { code: "forbidden", hint: expect.stringMatching(/\w/) },
      });
      expect(await vendor.liveKeys(), "and nothing was made").toEqual(before);
      expect((await host.host.show("main")).openIntents).toEqual([]);

      vendor.reset();
      vendor.addFault({ ...vendor.createCall, fault: { do: "rateLimit", retryAfter: "1" }, times: 1 });
      const { id } = await host.host.rotate("main");
      const waiting = await until(host.host, id, ({ lastError }) => lastError !== null);
      expect(waiting, "for a while: it waits").toMatchObject({ step: "create", stuck: null, lastError: { code: "rateLimited" } });
      await expectReplaced(host);
    }),
  );
});

const DAY_MS = 86_400_000;

test.each([
  ["a time of day in place of seconds", "1764208800"],
  ["more than a number can be", "9".repeat(400)],
])("a wish to be left alone for decades is taken for a day: %s", { timeout: 60_000 }, (_, retryAfter) =>
  withCredential("openai", async (host, vendor) => {
    vendor.addFault({ ...vendor.createCall, fault: { do: "rateLimit", retryAfter }, times: 1 });
    const { id } = await host.host.rotate("main");
    const waiting = await until(host.host, id, ({ lastError }) => lastError !== null);
    expect(waiting.lastError?.code).toBe("rateLimited");
    expect(Math.abs((waiting.dueAt ?? 0) - Date.now() - DAY_MS)).toBeLessThan(60_000);
  }),
);

test("a person is told at once of a create that shall wait for an hour", { timeout: 60_000 }, () =>
  withCredential("openai", async (host, vendor) => {
    vendor.addFault({ ...vendor.createCall, fault: { do: "rateLimit", retryAfter: "3600" }, times: 1 });
    const { id } = await host.host.rotate("main");
    const waiting = await until(host.host, id, ({ lastError }) => lastError !== null);
    expect(waiting).toMatchObject({ step: "create", lastError: { code: "rateLimited" }, stuck: { reason: waiting.lastError?.message } });
    expect(waiting.dueAt, "and it is tried again by itself").toBeGreaterThan(Date.now());
  }),
);

describe("two entries of one account, and one of another", () => {
  /** Three credentials of their own at OpenAI; `b` is of the same account as `a`, with other settings. */
  async function withThree(work: (host: Host, vendor: FakeOpenAi, other: FakeOpenAi) => Promise<void>): Promise<void> {
    const [vendor, other] = await Promise.all([startFakeOpenAi(), startFakeOpenAi()]);
    const names = ["a", "b", "c"] as const;
    const at = { a: vendor, b: vendor, c: other };
    const host = new Host(() => ({ config: {}, credentials: { [`admin-of-a`]: vendor.admin.secret, "admin-of-c": other.admin.secret } }));
    host.write("reader.mjs", READER);
    for (const name of names) host.write(name, at[name].vendor.addKey(at[name].account, `first ${name}`).secret);
    const entry = (of: FakeOpenAi, admin: string, more: object) => ({
      type: "openai",
      baseUrl: of.url,
      project: of.vendor.project,
      adminKey: Host.credential(host, admin),
      listLag: "40ms",
      lastUsedLag: "40ms",
      lastUsedPrecision: "1ms",
      ...more,
    });
    host.configure({
      providers: {
        a: entry(vendor, "admin-of-a", { accounts: "shared", serviceAccount: vendor.account.id }),
        b: entry(vendor, "admin-of-a", { accounts: "per-key" }),
        c: entry(other, "admin-of-c", { accounts: "per-key" }),
      },
      stores: { local: { type: "file" } },
      consumers: Object.fromEntries(
        names.map((name) => [name, { type: "command", validate: [process.execPath, join(host.directory, "reader.mjs"), host.path(name)] }]),
      ),
      credentials: Object.fromEntries(
        names.map((name) => [name, { provider: name, store: { use: "local", path: host.path(name) }, consumers: [{ use: name }] }]),
      ),
      timing: QUICK_TIMING,
    });
    try {
      await host.start();
      for (const name of names) await host.client.call("adopt", { name });
      await work(host, vendor, other);
    } finally {
      await host.remove();
      await Promise.all([vendor.close(), other.close()]);
    }
  }

  test("when one is told to wait, the other of that account does not call either; the third one does", { timeout: 60_000 }, () =>
    withThree(async (host, vendor) => {
      const admin = () => vendor.log.filter(({ path }) => path.startsWith("/v1/organization/"));
      vendor.faults.add({ path: "/organization/", fault: { do: "rateLimit", retryAfter: "3" }, times: 1 });
      const a = await host.rotate("a");
      await until(host, a.id, ({ lastError }) => lastError?.code === "rateLimited");
      const refusedAt = admin().at(-1)?.at ?? 0;
      const b = await host.rotate("b");
      const c = await host.rotate("c");
      await until(host, b.id, ({ lastError }) => lastError?.code === "rateLimited");
      expect((await host.settled(c.id)).outcome).toBe("done");
      for (const { id } of [a, b]) expect((await host.settled(id)).outcome).toBe("done");
      const [first] = admin().filter(({ at }) => at > refusedAt);
      expect((first?.at ?? 0) - refusedAt, "nobody called for as long as the vendor wanted").toBeGreaterThanOrEqual(2900);
    }),
  );
});
