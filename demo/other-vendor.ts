import { PROVIDERS, type ProviderName } from "../providers/index.ts";
import type { Provider, ProviderDefinition } from "../src/contract/provider.ts";
import type { Secret } from "../src/contract/secret.ts";
import type { World } from "../src/contract/world.ts";
import type { FakeVendor } from "../test/fakes/index.ts";
import { withReferences } from "../test/support/references.ts";
import { testWorld } from "../test/support/world.ts";
import { startDoor } from "./door.ts";
import { showing } from "./screen.ts";
import type { Stage } from "./stage.ts";
import type { Vendor } from "./vendor.ts";

const REFUSALS = [400, 401, 403];

/** Any vendor of the contract tests. The consumer's chats reach it through a door that speaks its language. */
export async function startOther(stage: Stage, type: ProviderName): Promise<Vendor> {
  const { FAKE_VENDORS } = await import("../test/fakes/index.ts");
  const definition: ProviderDefinition = await PROVIDERS[type]();
  const starting = FAKE_VENDORS[type]();
  const real = type === "any-llm";
  const fake = await stage.hold(real ? showing("starting the any-llm gateway", starting) : starting, (vendor) => vendor.close());
  const [settings = {}] = Object.values(fake.variants);
  const { key, identifies } = await firstKey(fake, definition, settings, stage.signal);
  const door = await stage.hold(
    startDoor((secret) => fake.use(secret)),
    (open) => open.close(),
  );
  const { makeKey } = fake;
  return {
    type,
    title: `${real ? "a real any-llm gateway, and a stand-in behind it" : `a stand-in for ${definition.title}`}; it is asked by way of ${door.url}`,
    url: door.url,
    settings: {
      ...withReferences(settings, (name) => stage.secret(`vendor-${name}`, fake.secrets[name] ?? "")),
      listLag: "200ms",
      revokeLag: "200ms",
      ...(definition.lastUsed && { lastUsedLag: "1s", lastUsedPrecision: "1ms" }),
    },
    key,
    identifies,
    refuses: ({ status }) => REFUSALS.includes(status),
    ...(makeKey && { makeByHand: async () => (await makeKey("the next one")).secret.reveal() }),
    async served() {
      const old = door.served.get(key.secret) ?? 0;
      return { old, others: [...door.served.values()].reduce((sum, count) => sum + count, 0) - old };
    },
  };
}

interface Key {
  readonly id: string;
  readonly secret: Secret;
}

/** The key that was there before rotated: made by a person or by the vendor's call, or the first of two that always are there. */
async function firstKey(fake: FakeVendor, definition: ProviderDefinition, settings: object, signal: AbortSignal) {
  const world = await testWorld({ secrets: fake.secrets });
  try {
    const provider = definition.connect(definition.settings.parse(settings), world);
    const { id, secret } = (await fake.makeKey?.("the first one")) ?? (await ofProvider(provider, definition, world, signal));
    const known = await provider.identify(secret, signal);
    return { key: { id, secret: secret.reveal() }, identifies: known?.id === id };
  } finally {
    await world.close();
  }
}

async function ofProvider(provider: Provider, definition: ProviderDefinition, { random }: World, signal: AbortSignal): Promise<Key> {
  const secret = definition.makeSecret?.(random);
  if (definition.supply === "create" && provider.create) {
    return provider.create({ label: "the-first-one", ...(secret && { secret }) }, signal);
  }
  const [slot] = await provider.list(signal);
  if (slot === undefined || provider.recover === undefined) throw new Error(`${definition.title} has no key to begin with`);
  return { id: slot.id, secret: await provider.recover(slot.id, signal) };
}
