import type { z } from "zod";
import type { Secret } from "./secret.ts";
import type { KeepSession } from "./session.ts";
import type { Through, ThroughConsumer } from "./through.ts";
import type { World } from "./world.ts";

/**
 * One place where consumers find a credential: a current value, and a keep of named versions beside
 * it. All of them are of one field; what else stands in the same document is nobody's but its owner's.
 *
 * Methods honour `signal` and throw only `AdapterError` or the reason of an abort. None retries.
 */
export interface Store {
  /** Shows that a write would work, without leaving anything behind. Throws what would go wrong. */
  preflight(signal: AbortSignal): Promise<void>;

  /** The value consumers read, or a kept one; `undefined` only when there is none. */
  read(which: "current" | { version: string }, signal: AbortSignal): Promise<Secret | undefined>;

  /** Keeps `secret` under `version`; consumers do not see it. Same version and value again: nothing happens. */
  stage(version: string, secret: Secret, signal: AbortSignal): Promise<void>;

  /**
   * Makes the kept `version` current, in the place of the version `over` (`undefined`: of nothing);
   * `over` stays in the keep. Does nothing when `version` is current already. Anything else there
   * is a stranger's: throws `foreign` and changes nothing.
   */
  promote(version: string, over: string | undefined, signal: AbortSignal): Promise<void>;

  /** Drops `version` from the keep. Resolves when it is already gone; never touches the current value. */
  discard(version: string, signal: AbortSignal): Promise<void>;

  /** See {@link KeepSession}. */
  readonly keepSession?: KeepSession;
}

/**
 * A further place that gets a copy of the current value. It has no keep. Same rules as {@link Store}.
 */
export interface Mirror {
  /** Shows that a write would work, without leaving anything behind. Throws what would go wrong. */
  preflight(signal: AbortSignal): Promise<void>;

  /** The value that its readers get; `undefined` only when there is none. */
  read(signal: AbortSignal): Promise<Secret | undefined>;

  /**
   * Puts `secret` in the place of `over` (`undefined`: of nothing). Does nothing when `secret` is there already. Anything
   * else there is a stranger's: throws `foreign` and changes nothing.
   */
  write(secret: Secret, over: Secret | undefined, signal: AbortSignal): Promise<void>;

  /** See {@link KeepSession}. */
  readonly keepSession?: KeepSession;
}

/** What a file in `adapters/stores/` exports. It can be a primary store, a mirror, or both. */
export interface StoreDefinition<Settings extends z.ZodObject = z.ZodObject, Place extends z.ZodObject = z.ZodObject> {
  readonly title: string;
  /** Strict, described settings of the store itself (under `stores:`). */
  readonly settings: Settings;
  /** Strict, described settings of one place in it (under a credential's `store:`, beside `use`). */
  readonly place: Place;
  /** Where the place is reached through a consumer of the configuration, which the credential then uses, too. */
  readonly through?: Through;
  /** A text that is equal for two places that are the same cell: two credentials may not share one. */
  cell(settings: z.output<Settings>, place: z.output<Place>): string;
  /** Where versions are kept beside the current one, for people; left out by what can only be a mirror. One clause. */
  readonly keep?: string;
  /** As a primary store. Left out by what can only be a mirror. An SDK is imported when it is first needed, not here. */
  connect?(settings: z.output<Settings>, place: z.output<Place>, context: StoreContext, world: World): Store;
  /** As a mirror. Left out by what can only be a primary store. */
  mirror?(settings: z.output<Settings>, place: z.output<Place>, context: StoreContext, world: World): Mirror;
  /** What people should know before a rotation writes there, for `rotatectl plan`. One clause each. */
  describe?(settings: z.output<Settings>, place: z.output<Place>): readonly string[];
}

/** Whose value it is: stores keep it beside the value for people, and in the names of their keep. */
export interface StoreContext {
  readonly credential: string;
  /** The consumer of `through`, and how the credential uses it. */
  readonly consumer?: ThroughConsumer & { readonly use: Readonly<Record<string, unknown>> };
}

/** Ties a definition's settings, place and clients together for the compiler. */
export function defineStore<Settings extends z.ZodObject, Place extends z.ZodObject, Definition extends StoreDefinition<Settings, Place>>(
  definition: Definition & { readonly settings: Settings; readonly place: Place } & StoreDefinition<Settings, Place>,
): Definition {
  return definition;
}
