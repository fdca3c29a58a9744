import { afterAll, describe, expect, test } from "vitest";
import { PROVIDERS, type ProviderName } from "../../providers/index.ts";
import type { ProviderDefinition } from "../../src/contract/provider.ts";
import { FAKE_VENDORS, type FakeVendor } from "../fakes/index.ts";
import { PlugHost, type PlugPoint, type SeenRequest, type Setup } from "./plug-host.ts";
import { PLUG_STORES, type PlugStoreName } from "./plug-stores.ts";

/** `npm run test:kill-all`: every provider with every store, and every point. */
const ALL = process.env["KILL_ALL"] !== undefined;

interface Counted {
  readonly requests: readonly SeenRequest[];
  readonly commits: number;
}

/** Vendors that several runs share; one without labels would not know whose key is whose. */
const shared = new Map<ProviderName, Promise<FakeVendor>>();
afterAll(async () => {
  for (const vendor of shared.values()) await (await vendor).close();
});

async function vendorFor(name: ProviderName): Promise<FakeVendor> {
  const definition: ProviderDefinition = await PROVIDERS[name]();
  if (definition.unlabelled !== undefined) return FAKE_VENDORS[name]();
  const vendor = shared.get(name) ?? FAKE_VENDORS[name]();
  shared.set(name, vendor);
  return vendor;
}

type Case = Omit<Setup, "vendor">;

/** The openai provider on a file has a matrix of its own, with every point and both ways back: kill.test.ts. */
async function cases(): Promise<Case[]> {
  const names = Object.keys(PROVIDERS) as ProviderName[];
  const supplies = await Promise.all(names.map(async (name) => (await PROVIDERS[name]()).supply));
  const creating = names.filter((_, index) => supplies[index] === "create");
  const stores = Object.keys(PLUG_STORES) as PlugStoreName[];
  if (ALL) return creating.flatMap((provider) => stores.map((store): Case => ({ provider, store, watched: ["provider", "store"] })));
  return [
    ...creating.filter((name) => name !== "openai").map((provider): Case => ({ provider, store: "file", watched: ["provider"] })),
    ...stores.filter((name) => name !== "file").map((store): Case => ({ provider: "openai", store, watched: ["store"] })),
  ];
}

/** Rotates with a kill at `point`, or without one, up to the end, and asks all promises. */
async function run(one: Case, point: PlugPoint | undefined): Promise<Counted> {
  const vendor = await vendorFor(one.provider);
  const host = await PlugHost.make({ ...one, vendor });
  try {
    await host.open(point);
    const load = host.load();
    host.arm();
    await host.rotate().catch(() => undefined);
    const how = await host.killedOrOver();
    const counted = { requests: host.requests, commits: host.commits };
    if (point === undefined) expect(how).toBe("over");
    // A run may poll less often than the one that was counted: then it must have ended before the point came.
    else if (how === "over") expect(point.at === "commit" ? counted.commits : counted.requests.length).toBeLessThan(point.n);
    if (how === "killed") {
      await host.relaunch();
      await host.rotate().catch(() => undefined);
    }
    await expectPromisesHold(host);
    await load;
    expect(host.refusals, "I1: nobody was refused").toEqual([]);
    expect(host.served, "I1: somebody was served").toBeGreaterThan(0);
    return counted;
  } finally {
    await host.close();
    if (!shared.has(one.provider)) await vendor.close();
  }
}

async function expectPromisesHold(host: PlugHost): Promise<void> {
  const rotation = await host.ended();
  expect(rotation.outcome, `${rotation.lastError?.message}; ${rotation.stuck?.reason}`).toBe("done");
  const seen = await host.look();
  expect(seen.ours, "I3: one live key, and the ledger names it").toEqual([seen.shown.current?.vendorId]);
  expect(seen.ours, "the key was replaced").not.toContain(seen.first);
  expect(seen.storeWorks && seen.consumerHoldsIt, "I4: the consumer uses what the store holds, and it works").toBe(true);
  expect(seen.oldWorks, "I8: what the ledger calls dead is dead").toBe(false);
  expect(seen.shown.openIntents, "I2: every intent is settled").toEqual([]);
  expect(
    seen.shown.keys.filter(({ stage }) => stage !== "current" && stage !== "dead"),
    "I6: every other key is proven dead",
  ).toEqual([]);
  expect(
    seen.events.filter(({ code }) => code === "started"),
    "I10: one trigger, one rotation",
  ).toHaveLength(1);
  expect(seen.leaked, "I9: no secret in the log").toBe(false);
}

/** Before and after each request and commit; or of each kind of request its first and its last, and the commits next to them. */
function pointsOf({ requests, commits }: Counted): PlugPoint[] {
  const kinds = [...new Set(requests.map(({ what }) => what))];
  const ends = kinds.flatMap((kind) => [
    requests.findIndex(({ what }) => what === kind),
    requests.findLastIndex(({ what }) => what === kind),
  ]);
  const chosen = ALL ? requests.map((_, index) => index) : [...new Set(ends)].sort((a, b) => a - b);
  const near = ALL ? Array.from({ length: commits }, (_, n) => n + 1) : chosen.flatMap((index) => besides(requests[index]));
  return [
    ...chosen.flatMap((index) => (["before", "handled"] as const).map((when) => ({ at: "request", when, n: index + 1 }) as const)),
    ...[...new Set(near)]
      .filter((n) => n >= 1 && n <= commits)
      .sort((a, b) => a - b)
      .flatMap((n) => (["before", "after"] as const).map((when) => ({ at: "commit", when, n }) as const)),
  ];
}

const besides = (request: SeenRequest | undefined) => (request === undefined ? [] : [request.commits, request.commits + 1]);

// How many points there are is known only from a run without a kill, which must end well itself.
const found: { title: string; one: Case; counted: Counted }[] = [];
for (const one of await cases()) found.push({ title: `${one.provider} on ${one.store}`, one, counted: await run(one, undefined) });

describe.each(found)("$title: SIGKILL of the daemon", ({ one, counted }) => {
  for (const point of pointsOf(counted)) {
    const what = point.at === "request" ? ` ${counted.requests[point.n - 1]?.what}` : "";
    test.concurrent(`${point.when} ${point.at} ${point.n}${what}`, { timeout: 120_000 }, async () => void (await run(one, point)));
  }
});
