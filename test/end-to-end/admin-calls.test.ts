import { describe, expect, test } from "vitest";
import { PROVIDERS, type ProviderName } from "../../providers/index.ts";
import type { ProviderDefinition } from "../../src/contract/provider.ts";
import { FAKE_VENDORS, type FakeVendor } from "../fakes/index.ts";
import { PlugHost, type SeenRequest } from "../kill/plug-host.ts";

/** What a rotation may ask of a vendor's admin API at most, whichever vendor it is. */
const MOST = 8;

/** A call that is given up too soon is made twice. */
const SLOW = { callTimeout: "10s" };

/** The second page of a listing, and those after it. */
const LATER_PAGE = /[?&](after|pageToken)=|[?&](offset|skip)=[1-9]|[?&]page=(?!1\b)|&Marker=/;
/** Vault gives the rows of a listing one by one. */
const LISTING_OF_IDS = /^GET \S+\?list=true /;
const ONE_ROW = /^POST \S+\/(secret-id-accessor\/lookup|lookup-accessor) /;
/** To look whether something is done, to sign in, and to sign out again. */
const ASIDE = /^GET \S+\/operations\/|^POST \S+\/(login|token|revoke-self) /;

/** The requests that count: not those that a key itself signs, nor polls and later pages. */
function adminCalls(requests: readonly SeenRequest[], secrets: Iterable<string>): readonly string[] {
  const own = [...secrets].map(signatureOf);
  let listing: number | undefined;
  return requests.flatMap(({ what, text, commits }) => {
    const [head = "", body = ""] = text.split("\r\n\r\n");
    const [line = ""] = head.split("\r\n");
    const row = listing === commits && ONE_ROW.test(line);
    if (!row) listing = LISTING_OF_IDS.test(line) ? commits : undefined;
    if (row || ASIDE.test(line) || LATER_PAGE.test(`${line}${body}`) || own.some((signature) => head.includes(signature))) return [];
    const [, action] = /\bAction=(\w+)/.exec(body) ?? [];
    return [action ?? what];
  });
}

/** What stands in the head of a request that is made with this secret: it, or the id in it where the rest only signs. */
function signatureOf(secret: string): string {
  return /"AccessKeyId":"(\w+)"/.exec(secret)?.[1] ?? secret;
}

/** The vendors that make keys by a call, whatever else some of their settings say. */
async function creating(): Promise<readonly ProviderName[]> {
  const names = Object.keys(PROVIDERS) as ProviderName[];
  const supplies = await Promise.all(names.map(async (name) => (await PROVIDERS[name]()).supply));
  return names.filter((_, index) => supplies[index] === "create");
}

/** The ways to set a vendor up in which its keys are made by a call. */
async function variantsOf(provider: ProviderName, { variants }: FakeVendor): Promise<readonly string[]> {
  const definition: ProviderDefinition = await PROVIDERS[provider]();
  const creates = ([, settings]: [string, object]) =>
    (definition.supplyOf?.(definition.settings.parse(settings)) ?? definition.supply) === "create";
  return Object.entries(variants)
    .filter(creates)
    .map(([variant]) => variant);
}

/** What one rotation asks for. */
async function counted(host: PlugHost): Promise<readonly string[]> {
  const { id } = await host.host.rotate("main");
  const { outcome, lastError } = await host.host.settled(id, 60_000);
  expect(outcome, lastError?.message).toBe("done");
  return adminCalls(host.requests.splice(0), host.held);
}

const names = await creating();

describe(`a rotation asks no more than ${MOST} times of a vendor's admin API`, () => {
  test.concurrent.each(names)("%s", { timeout: 180_000 }, async (provider) => {
    const vendor = await FAKE_VENDORS[provider]();
    try {
      for (const variant of await variantsOf(provider, vendor)) {
        await vendor.makeRoom?.();
        const host = await PlugHost.make({ provider, variant, vendor, store: "file", watched: ["provider"], timing: SLOW });
        try {
          await host.open(undefined);
          host.arm();
          // Of a key that is adopted, and of one that rotated made: with that one there may be more to remove.
          for (const which of ["an adopted key", "a key of our own"]) {
            const calls = await counted(host);
            expect(calls.length, `${variant}, ${which}: ${calls.join(", ")}`).toBeLessThanOrEqual(MOST);
            // A count of nothing would pass as well: at the least a key is looked for, made and removed.
            expect(calls.length, calls.join(", ")).toBeGreaterThanOrEqual(3);
          }
        } finally {
          await host.close();
        }
      }
    } finally {
      await vendor.close();
    }
  });
});
