import { respectLimit } from "./account.ts";
import type { Config, CredentialConfig, StoreConfig } from "./config/config.ts";
import { AdapterError } from "./contract/errors.ts";
import type { StoreContext } from "./contract/store.ts";
import type { Through, ThroughConsumer } from "./contract/through.ts";
import type { World } from "./contract/world.ts";
import { type Observe, observed } from "./observed.ts";
import type { Plugs } from "./rotation/parts.ts";

/** Throws `AdapterError` `misconfigured` for a name that the configuration no longer has. */
export function connectPlugs(config: Config, world: World, observe: Observe): Plugs {
  const connected = new Map<string, unknown>();
  const once = <T>(key: string, make: () => T): T => {
    const known = connected.get(key);
    if (known !== undefined) return known as T;
    const made = make();
    connected.set(key, made);
    return made;
  };

  /** The consumer that a plug goes through, as it is configured now. */
  function throughConsumer(through: Through, settings: Readonly<Record<string, unknown>>): ThroughConsumer {
    const name = String(settings[through.setting]);
    return { name, settings: (config.consumers[name] ?? gone("consumer", name)).settings };
  }

  function storeContext(entry: StoreConfig, { name, consumers }: CredentialConfig): StoreContext {
    const { through } = entry.definition;
    if (through === undefined) return { credential: name };
    const consumer = throughConsumer(through, entry.settings);
    const use = consumers.find((candidate) => candidate.use === consumer.name)?.settings ?? {};
    return { credential: name, consumer: { ...consumer, use } };
  }

  const plugs: Plugs = {
    provider: (name) =>
      once(`provider ${name}`, () => {
        const entry = config.providers[name] ?? gone("provider", name);
        const { through } = entry.definition;
        const consumer = through && throughConsumer(through, entry.settings);
        const account = respectLimit(entry.definition.connect(entry.settings, world, consumer), name, world.clock);
        const provider = observed(account, { provider: name }, observe);
        const { listLagMs, lastUsed, definition, settings } = entry;
        const { makeSecret, places } = definition;
        const unlabelled = definition.unlabelled?.(settings);
        const intake = definition.intake?.(settings);
        return {
          name,
          provider,
          listLagMs,
          ...(lastUsed && { lastUsed }),
          ...(makeSecret && { makeSecret }),
          ...(places !== undefined && { places }),
          ...(unlabelled && { unlabelled }),
          ...(intake && { intake }),
        };
      }),
    store(credential) {
      const { name, store } = credential;
      const { use, place } = store;
      return once(`store ${name}`, () => {
        const entry = config.stores[use] ?? gone("store", use);
        const { connect } = entry.definition;
        if (connect === undefined) throw new AdapterError("misconfigured", `store ${use} can only be a mirror`);
        const connected = connect(entry.settings, place, storeContext(entry, credential), world);
        return observed(connected, { store: use, credential: name }, observe);
      });
    },
    mirrors(credential) {
      const { name, mirrors } = credential;
      return mirrors.map(({ use, place }) =>
        once(`mirror ${name} ${use} ${JSON.stringify(place)}`, () => {
          const entry = config.stores[use] ?? gone("store", use);
          const { mirror } = entry.definition;
          if (mirror === undefined) throw new AdapterError("misconfigured", `store ${use} cannot be a mirror`);
          const connected = mirror(entry.settings, place, storeContext(entry, credential), world);
          return { name: use, mirror: observed(connected, { mirror: use, credential: name }, observe) };
        }),
      );
    },
    consumer: (credential, { use, settings }) =>
      once(`consumer ${credential} ${use} ${JSON.stringify(settings)}`, () => {
        const entry = config.consumers[use] ?? gone("consumer", use);
        const consumer = entry.definition.connect(entry.settings, settings, { credential, consumer: use }, world);
        return { name: use, consumer: observed(consumer, { consumer: use, credential }, observe), acceptAnswered: entry.acceptAnswered };
      }),
    consumers(credential, pinned) {
      const present = credential.consumers.map(({ use }) => use);
      const dropped = pinned.filter(({ use }) => !present.includes(use));
      return [...credential.consumers, ...dropped].map((use) => plugs.consumer(credential.name, use));
    },
  };
  return plugs;
}

function gone(kind: string, name: string): never {
  throw new AdapterError("misconfigured", `${kind} ${name} is part of a rotation and no longer in the configuration`, {
    cure: `put ${kind} ${name} back into the configuration and reload, or say rotatectl abandon`,
  });
}
