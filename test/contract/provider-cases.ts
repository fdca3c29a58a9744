import { afterAll, afterEach, beforeAll, beforeEach } from "vitest";
import { PROVIDERS, type ProviderName } from "../../providers/index.ts";
import { idleWorld } from "../../src/abilities/examples.ts";
import { AdapterError } from "../../src/contract/errors.ts";
import type { CreateRequest, Provider, ProviderDefinition, VendorKey } from "../../src/contract/provider.ts";
import { Secret } from "../../src/contract/secret.ts";
import { FAKE_VENDORS, type FakeVendor } from "../fakes/index.ts";
import { type TestWorld, testWorld } from "../support/world.ts";

export const { signal } = new AbortController();
let labels = 0;
export const newLabel = () => `rotated-test-${++labels}${Date.now().toString(36)}`;

/** One vendor set up in one way. */
export interface ProviderCase {
  readonly title: string;
  readonly vendor: FakeVendor;
  readonly definition: ProviderDefinition;
  readonly settings: object;
  /** How its keys come to be, set up in this way. */
  readonly supply: ProviderDefinition["supply"];
}

/** Starts the fake of every vendor; ends them with the file's tests. */
export async function startVendors() {
  const vendors = await Promise.all(
    (Object.keys(PROVIDERS) as ProviderName[]).map(async (name) => {
      const definition: ProviderDefinition = await PROVIDERS[name]();
      return { name, vendor: await FAKE_VENDORS[name](), definition };
    }),
  );
  afterAll(async () => {
    await Promise.all(vendors.map(({ vendor }) => vendor.close()));
  });
  return vendors;
}

/** Each way to set up each vendor of the given kinds. */
export function casesOf(
  vendors: Awaited<ReturnType<typeof startVendors>>,
  supply: readonly ProviderDefinition["supply"][],
): ProviderCase[] {
  const cases = vendors.flatMap(({ name, vendor, definition }) =>
    Object.entries(vendor.variants).map(([variant, settings]) => {
      const known = definition.supplyOf?.(definition.settings.parse(settings)) ?? definition.supply;
      return { title: `${name}, ${variant}`, vendor, definition, settings, supply: known };
    }),
  );
  return cases.filter((one) => supply.includes(one.supply));
}

/** What there is to be tested, known before anything runs: a method that a vendor lacks is not there. */
export const methodsOf = ({ definition, settings }: ProviderCase): Provider =>
  definition.connect(definition.settings.parse(settings), idleWorld, undefined);

/** A key with its secret, however this vendor's keys come to be. */
export type MadeKey = { readonly id: string; readonly secret: Secret };

/** A connected provider for the tests of one `describe`, and what they ask of it. */
export function openCase({ vendor, definition, settings }: ProviderCase) {
  const errors: unknown[] = [];
  let latest: string | undefined;
  const open = {
    world: undefined as unknown as TestWorld,
    provider: undefined as unknown as Provider,
    errors,
    find: async (id: string): Promise<VendorKey | undefined> => (await open.provider.list(signal)).find((key) => key.id === id),

    /** The provider's own create, for the vendors that have one. */
    async create(request: CreateRequest, stop: AbortSignal = signal) {
      const { provider } = open;
      if (provider.create === undefined) throw new Error("this vendor has no create");
      const ours = definition.makeSecret?.(open.world.random);
      // One of ours can be searched for like those that a fake makes.
      const secret = request.secret ?? (ours && new Secret(`${ours.reveal()}-canary`));
      const like = request.like ?? (await open.standing());
      const made = await provider.create({ ...request, ...(like && { like }), ...(secret && { secret }) }, stop);
      latest = made.id;
      return made;
    },

    /** The key beside which a vendor with two slots makes another one: the last that was made, or any. */
    async standing(): Promise<VendorKey | undefined> {
      if (definition.supply !== "dual-slot") return undefined;
      const listed = await open.provider.list(signal);
      return listed.find(({ id }) => id === latest) ?? listed[0];
    },

    /** A key of ours: made by a call, or by a person where there is none. */
    make(label = newLabel()): Promise<MadeKey> {
      if (open.provider.create !== undefined) return open.create({ label });
      if (vendor.makeKey === undefined) throw new Error("the fake of a vendor without create needs makeKey");
      return vendor.makeKey(label);
    },

    /** The error of a call; kept, so that the last test can search all of them. */
    async failure(call: Promise<unknown>): Promise<unknown> {
      const error = await call.then(
        (value) => new Error(`answered ${JSON.stringify(value)}`),
        (reason: unknown) => reason,
      );
      errors.push(error);
      return error;
    },

    /** Each method as a call that has something to do. */
    async everyCall(): Promise<Record<string, (signal: AbortSignal) => Promise<unknown>>> {
      const { provider } = open;
      const { id, secret } = await open.make();
      const like = await open.standing();
      vendor.reset();
      return {
        ...(provider.create && { create: (stop: AbortSignal) => open.create({ label: newLabel(), ...(like && { like }) }, stop) }),
        list: (stop) => provider.list(stop),
        ...(!definition.cannotIdentify && { identify: (stop: AbortSignal) => provider.identify(secret, stop) }),
        verify: (stop) => provider.verify(secret, stop),
        ...(provider.recover && { recover: (stop: AbortSignal) => provider.recover?.(id, stop) ?? Promise.reject() }),
        ...(provider.rename && { rename: (stop: AbortSignal) => provider.rename?.(id, newLabel(), stop) ?? Promise.reject() }),
        ...(provider.setEnabled && { setEnabled: (stop: AbortSignal) => provider.setEnabled?.(id, false, stop) ?? Promise.reject() }),
        revoke: (stop) => provider.revoke(id, stop),
      };
    },
  };

  beforeAll(async () => {
    open.world = await testWorld({ secrets: vendor.secrets });
    open.provider = definition.connect(definition.settings.parse(settings), open.world, await vendor.through?.(open.world));
  });
  beforeEach(() => vendor.makeRoom?.());
  afterEach(() => vendor.reset());
  afterAll(() => open.world.close());
  return open;
}

/** Message, stack, hint and all causes of an error. */
export function everyWord(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const hint = error instanceof AdapterError ? error.hint : "";
  return [error.message, error.stack, hint, JSON.stringify(error), everyWord(error.cause ?? "")].join("\n");
}
