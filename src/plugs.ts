import { type AccountLimit, accountOf, openLimit, respectLimit } from "./account-limit.ts";
import type { Config, CredentialConfig, StoreConfig, StorePlace } from "./config/config.ts";
import { AdapterError } from "./contract/errors.ts";
import type { Secret } from "./contract/secret.ts";
import type { KeepSession } from "./contract/session.ts";
import type { StoreContext } from "./contract/store.ts";
import type { Through, ThroughConsumer } from "./contract/through.ts";
import type { World } from "./contract/world.ts";
import { noteGiven } from "./itself/asked.ts";
import type { Calls } from "./itself/calls.ts";
import { ITSELF, itself } from "./itself/consumer.ts";
import { type User, usersByCredential, userText } from "./itself/users.ts";
import { observed } from "./observed.ts";
import type { ConsumerPlug, MirrorPlug } from "./rotation/context.ts";
import type { Plugs } from "./rotation/parts.ts";

export interface ConnectedPlugs extends Plugs {
  /** What `{ store: NAME }` means: the current value of a credential, read from its primary store at each call. */
  value(credential: string): Promise<Secret>;
  /** One for each store and provider whose login would run out while no rotation calls it. */
  sessions(): readonly PlugSession[];
}

/** A login of ours, and whose it is. */
export interface PlugSession {
  readonly user: User;
  /** Looks the plug up at each call: it may have been connected anew. */
  readonly keep: KeepSession;
}

/** Throws `AdapterError` `misconfigured` for a name that the configuration no longer has. */
export function connectPlugs(config: Config, world: World, calls: Calls): ConnectedPlugs {
  const { observe } = calls;
  const users = usersByCredential(config);
  const connected = new Map<string, { readonly user: string; readonly plug: unknown }>();
  /** Each user has a world object of its own: what was opened for one is not found again by one that was connected anew. */
  const worlds = new Map<string, World>();
  const limits = new Map<string, AccountLimit>();

  function once<T>(key: string, user: User, make: (world: World) => T): T {
    const known = connected.get(key);
    if (known !== undefined) return known.plug as T;
    const name = userText(user);
    const own = worlds.get(name) ?? { ...world };
    worlds.set(name, own);
    const plug = make(own);
    connected.set(key, { user: name, plug });
    return plug;
  }

  function limitOf(account: string): AccountLimit {
    const limit = limits.get(account) ?? openLimit(world.clock);
    limits.set(account, limit);
    return limit;
  }

  function renew(user: User): void {
    worlds.delete(userText(user));
    for (const [key, entry] of connected) if (entry.user === userText(user)) connected.delete(key);
  }

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

  function mirror(credential: CredentialConfig, { use, place }: StorePlace): MirrorPlug {
    return once(`mirror ${credential.name} ${use} ${JSON.stringify(place)}`, { kind: "store", name: use }, (own) => {
      const entry = config.stores[use] ?? gone("store", use);
      if (entry.definition.mirror === undefined) throw new AdapterError("misconfigured", `store ${use} cannot be a mirror`);
      const plug = entry.definition.mirror(entry.settings, place, storeContext(entry, credential), own);
      return { name: use, mirror: observed(plug, { mirror: use, credential: credential.name }, observe) };
    });
  }

  /** rotated itself, where its own plugs call with this credential's value. */
  function ownUse({ name: credential }: CredentialConfig): readonly ConsumerPlug[] {
    const its = users.get(credential);
    if (its === undefined) return [];
    const consumer = itself({
      credential,
      users: its,
      value: () => plugs.value(credential),
      use,
      renew,
      begunBy: (at) => calls.begunBy(at, its),
    });
    return [{ name: ITSELF, consumer: observed(consumer, { consumer: ITSELF, credential }, observe), acceptAnswered: false }];
  }

  async function use({ kind, name }: User, signal: AbortSignal): Promise<void> {
    if (kind === "provider") await plugs.provider(name).provider.list(signal);
    for (const credential of Object.values(config.credentials)) {
      if (kind === "store") {
        if (credential.store.use === name) await plugs.store(credential).read("current", signal);
        for (const place of credential.mirrors) if (place.use === name) await mirror(credential, place).mirror.read(signal);
      }
      if (kind !== "consumer") continue;
      for (const entry of credential.consumers) {
        if (entry.use !== name) continue;
        const current = await plugs.store(credential).read("current", signal);
        await plugs.consumer(credential.name, entry).consumer.preflight(current, signal);
      }
    }
  }

  const plugs: ConnectedPlugs = {
    provider: (name) =>
      once(`provider ${name}`, { kind: "provider", name }, (own) => {
        const entry = config.providers[name] ?? gone("provider", name);
        const { through } = entry.definition;
        const consumer = through && throughConsumer(through, entry.settings);
        const limit = limitOf(accountOf(name, entry.definition, entry.settings));
        const limited = respectLimit(entry.definition.connect(entry.settings, own, consumer), name, limit);
        const provider = observed(limited, { provider: name }, observe);
        const { listLagMs, revokeLagMs, lastUsed, definition, settings, supply } = entry;
        const { makeSecret, places } = definition;
        const unlabelled = definition.unlabelled?.(settings);
        const intake = definition.intake?.(settings);
        return {
          name,
          provider,
          supply,
          listLagMs,
          revokeLagMs,
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
      return once(`store ${name}`, { kind: "store", name: use }, (own) => {
        const entry = config.stores[use] ?? gone("store", use);
        const { connect } = entry.definition;
        if (connect === undefined) throw new AdapterError("misconfigured", `store ${use} can only be a mirror`);
        return observed(connect(entry.settings, place, storeContext(entry, credential), own), { store: use, credential: name }, observe);
      });
    },
    mirrors: (credential) => credential.mirrors.map((place) => mirror(credential, place)),
    consumer: (credential, { use, settings }) =>
      once(`consumer ${credential} ${use} ${JSON.stringify(settings)}`, { kind: "consumer", name: use }, (own) => {
        const entry = config.consumers[use] ?? gone("consumer", use);
        const consumer = entry.definition.connect(entry.settings, settings, { credential, consumer: use }, own);
        return { name: use, consumer: observed(consumer, { consumer: use, credential }, observe), acceptAnswered: entry.acceptAnswered };
      }),
    consumers(credential, pinned) {
      const present = credential.consumers;
      const usesOf = (all: typeof present, name: string) => all.filter(({ use }) => use === name).length;
      const isPresent = (one: object) => present.some((other) => JSON.stringify(other) === JSON.stringify(one));
      // The settings of a use may be cured in mid-rotation. Where there are fewer of them now, one that was is still asked.
      const dropped = pinned.filter((one) => usesOf(pinned, one.use) > usesOf(present, one.use) && !isPresent(one));
      const named = [...present, ...dropped].map((use) => plugs.consumer(credential.name, use));
      return [...named, ...ownUse(credential)];
    },
    async value(name) {
      const credential = config.credentials[name] ?? gone("credential", name);
      const deadline = world.clock.deadline(config.timing.callTimeoutMs);
      const secret = await plugs
        .store(credential)
        .read("current", deadline)
        .catch((cause: unknown) => {
          if (cause instanceof AdapterError || !deadline.aborted) throw cause;
          throw new AdapterError("timeout", `read secret: credential "${name}": no answer of its store in time`, { cause });
        });
      if (secret === undefined) {
        const cure = `put a value that works into its store, then: rotatectl adopt ${name}`;
        throw new AdapterError("misconfigured", `read secret: credential "${name}" has no value yet`, { cure });
      }
      noteGiven(name, secret);
      return secret;
    },
    sessions() {
      const found = new Map<string, PlugSession>();
      const note = (user: User, plug: () => { readonly keepSession?: KeepSession }) => {
        if (found.has(userText(user)) || plug().keepSession === undefined) return;
        found.set(userText(user), { user, keep: async (signal) => plug().keepSession?.(signal) });
      };
      for (const credential of Object.values(config.credentials)) {
        const { provider, store, mirrors } = credential;
        note({ kind: "provider", name: provider }, () => plugs.provider(provider).provider);
        note({ kind: "store", name: store.use }, () => plugs.store(credential));
        for (const place of mirrors) note({ kind: "store", name: place.use }, () => mirror(credential, place).mirror);
      }
      return [...found.values()];
    },
  };
  return plugs;
}

function gone(kind: string, name: string): never {
  throw new AdapterError("misconfigured", `${kind} ${name} is part of a rotation and no longer in the configuration`, {
    cure: `put ${kind} ${name} back into the configuration and reload, or say rotatectl abandon`,
  });
}
