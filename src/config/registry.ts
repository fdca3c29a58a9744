import type { ConsumerDefinition } from "../contract/consumer.ts";
import type { ProviderDefinition } from "../contract/provider.ts";
import type { StoreDefinition } from "../contract/store.ts";
import type { Names, Plugs } from "./schema.ts";

type Lazy<Definition> = Readonly<Record<string, () => Promise<Definition>>>;

/** Every kind of plug, by what `type:` calls it, imported when it is needed: a daemon has a few of many. */
export interface Registry {
  readonly providers: Lazy<ProviderDefinition>;
  readonly stores: Lazy<StoreDefinition>;
  readonly consumers: Lazy<ConsumerDefinition>;
}

/** All of them: for the pages, for tables of what there is. */
export function importAll({ providers, stores, consumers }: Registry): Promise<Plugs> {
  return together(bring(providers), bring(stores), bring(consumers));
}

/** Those that the entries of a file name; where one names what is not there, all of its section, so that the right one can be told. */
export function importNamed(registry: Registry, names: Names): Promise<Plugs> {
  const { providers, stores, consumers } = registry;
  return together(bring(providers, names.providers), bring(stores, names.stores), bring(consumers, names.consumers));
}

async function together(
  providers: Promise<Plugs["providers"]>,
  stores: Promise<Plugs["stores"]>,
  consumers: Promise<Plugs["consumers"]>,
): Promise<Plugs> {
  return { providers: await providers, stores: await stores, consumers: await consumers };
}

async function bring<Definition>(
  lazy: Lazy<Definition>,
  named?: ReadonlyMap<string, unknown>,
): Promise<Readonly<Record<string, Definition>>> {
  const types = new Set(named?.values());
  const known = named !== undefined && [...types].every((type) => typeof type === "string" && Object.hasOwn(lazy, type));
  const wanted = Object.entries(lazy).filter(([type]) => !known || types.has(type));
  return Object.fromEntries(await Promise.all(wanted.map(async ([type, load]) => [type, await load()] as const)));
}
