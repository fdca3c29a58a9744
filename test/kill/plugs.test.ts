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

/**
 * The real any-llm gateway stands still for half a minute when more than 15 requests come at once: of its runs so many go on at a time.
 */
const LANES: Partial<Record<ProviderName, Promise<unknown>[]>> = { "any-llm": [Promise.resolve(), Promise.resolve(), Promise.resolve()] };

/** Does `work` when there is room for one more run with this provider. */
async function inLane<T>(name: ProviderName, work: () => Promise<T>): Promise<T> {
  const lanes = LANES[name];
  if (lanes === undefined) return work();
  const free = await Promise.race(lanes.map((lane, index) => lane.then(() => index)));
  const turn = (lanes[free] ?? Promise.resolve()).then(work);
  lanes[free] = turn.catch(() => undefined);
  return turn;
}

async function cases(): Promise<Case[]> {
  const names = Object.keys(PROVIDERS) as ProviderName[];
  const supplies = await Promise.all(names.map(async (name) => (await PROVIDERS[name]()).supply));
  const creating = names.filter((_, index) => supplies[index] === "create");
  const stores = Object.keys(PLUG_STORES) as PlugStoreName[];
  if (ALL) return creating.flatMap((provider) => stores.map((store): Case => ({ provider, store, watched: ["provider", "store"] })));
  return [
    // With openai on a file every point is one, and so are those of both ways back: kill.test.ts.
    ...creating.filter((name) => name !== "openai").map((provider): Case => ({ provider, store: "file", watched: ["provider"] })),
    ...stores.filter((name) => name !== "file").map((store): Case => ({ provider: "openai", store, watched: ["store"] })),
  ];
}

/** Without labels a lost key is ours only in an account that is ours alone; elsewhere a person is asked, as rotation/two-places.test.ts shows. */
function exclusive({ variants }: FakeVendor): { readonly variant?: string } {
  const found = Object.entries(variants).find(([, settings]) => settings["exclusive"] === true);
  return found === undefined ? {} : { variant: found[0] };
}

/** Rotates with a kill at `point`, or without one, up to the end, and asks all promises. */
async function run(one: Case, point: PlugPoint | undefined): Promise<Counted> {
  for (let tries = 3; tries > 0; tries -= 1) {
    const counted = await runOnce(one, point);
    if (counted !== undefined) return counted;
  }
  throw new Error("three times the daemon did not wait for the answer that it was to be killed at");
}

/** `undefined` when the point was missed: an answer came too late for the daemon. */
async function runOnce(one: Case, point: PlugPoint | undefined): Promise<Counted | undefined> {
  const vendor = await vendorFor(one.provider);
  // A vendor that is real, and no fake, answers late where seven daemons want its processor: three creates without an answer end it.
  const timing = LANES[one.provider] === undefined ? {} : { timing: { callTimeout: "3s" } };
  const host = await PlugHost.make({ ...one, vendor, ...timing, ...exclusive(vendor) });
  try {
    await host.open(point);
    const load = host.load();
    host.arm();
    await host.rotate().catch(() => undefined);
    const how = await host.killedOrOver();
    const counted = { requests: host.requests, commits: host.commits };
    if (point === undefined) expect(how).toBe("over");
    else if (how === "over" && host.missed) return undefined;
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

/** Before and after each request and commit; or what `nearby` finds for the first request of each kind. */
function pointsOf({ requests, commits }: Counted): PlugPoint[] {
  const all = (count: number) => Array.from({ length: count }, (_, index) => index + 1);
  if (ALL) {
    return [
      ...all(requests.length).flatMap((n) => (["before", "handled"] as const).map((when) => ({ at: "request", when, n }) as const)),
      ...all(commits).flatMap((n) => (["before", "after"] as const).map((when) => ({ at: "commit", when, n }) as const)),
    ];
  }
  const firsts = requests.filter(({ what }, index) => requests.findIndex((other) => other.what === what) === index);
  const points = firsts.flatMap((request) => nearby(request, requests.indexOf(request) + 1));
  const known = new Set<string>();
  return points.filter(
    (point) => point.n <= (point.at === "commit" ? commits : requests.length) && !known.has(nameOf(point)) && known.add(nameOf(point)),
  );
}

/** What changes nothing: listings, AWS's own words for a look, and the request that tries a key. */
const LOOKS = /^GET |^POST \/(Get|List|Describe)|\/(chat\/completions|responses|converse|lookup|login)$|:countTokens$/;

/** A call that changes something is killed on all sides, and at the commits next to it; of a look only the answer is lost. */
function nearby({ what, commits }: SeenRequest, n: number): PlugPoint[] {
  const answer: PlugPoint = { at: "request", when: "handled", n };
  if (LOOKS.test(what)) return [answer];
  return [
    { at: "request", when: "before", n },
    answer,
    ...(["before", "after"] as const).map((when) => ({ at: "commit", when, n: commits + 1 }) as const),
  ];
}

const nameOf = ({ when, at, n }: PlugPoint) => `${when} ${at} ${n}`;

// How many points there are is known only from a run without a kill, which must end well itself.
const found: { title: string; one: Case; counted: Counted }[] = [];
for (const one of await cases()) found.push({ title: `${one.provider} on ${one.store}`, one, counted: await run(one, undefined) });

describe.concurrent.each(found)("$title: SIGKILL of the daemon", ({ one, counted }) => {
  for (const point of pointsOf(counted)) {
    const what = point.at === "request" ? ` ${counted.requests[point.n - 1]?.what}` : "";
    // Waiting for a lane counts, too.
    test(`${nameOf(point)}${what}`, { timeout: 300_000 }, () => inLane(one.provider, async () => void (await run(one, point))));
  }
});
