import { respectLimit } from "./account.ts";
import type { Config } from "./config/config.ts";
import { AdapterError } from "./contract/errors.ts";
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

  const plugs: Plugs = {
    provider: (name) =>
      once(`provider ${name}`, () => {
        const entry = config.providers[name] ?? gone("provider", name);
        const account = respectLimit(entry.definition.connect(entry.settings, world), name, world.clock);
        const provider = observed(account, { provider: name }, observe);
        const { listLagMs, lastUsed, definition, settings } = entry;
        const { makeSecret, places, supply } = definition;
        const unlabelled = definition.unlabelled?.(settings);
        const intake = definition.intake?.(settings);
        return {
          name,
          provider,
          supply,
          listLagMs,
          ...(lastUsed && { lastUsed }),
          ...(makeSecret && { makeSecret }),
          ...(places !== undefined && { places }),
          ...(unlabelled && { unlabelled }),
          ...(intake && { intake }),
        };
      }),
    store: ({ name, store: { use, place } }) =>
      once(`store ${name}`, () => {
        const entry = config.stores[use] ?? gone("store", use);
        const { connect } = entry.definition;
        if (connect === undefined) throw new AdapterError("misconfigured", `store ${use} can only be a mirror`);
        return observed(connect(entry.settings, place, { credential: name }, world), { store: use, credential: name }, observe);
      }),
    mirrors: ({ name, mirrors }) =>
      mirrors.map(({ use, place }) =>
        once(`mirror ${name} ${use} ${JSON.stringify(place)}`, () => {
          const entry = config.stores[use] ?? gone("store", use);
          const { mirror } = entry.definition;
          if (mirror === undefined) throw new AdapterError("misconfigured", `store ${use} cannot be a mirror`);
          const connected = mirror(entry.settings, place, { credential: name }, world);
          return { name: use, mirror: observed(connected, { mirror: use, credential: name }, observe) };
        }),
      ),
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
