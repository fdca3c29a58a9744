import type { z } from "zod";
import type { Secret } from "./secret.ts";
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
}

/** What a file in `adapters/stores/` exports. */
export interface StoreDefinition<Settings extends z.ZodObject = z.ZodObject, Place extends z.ZodObject = z.ZodObject> {
  readonly title: string;
  /** Strict, described settings of the store itself (under `stores:`). */
  readonly settings: Settings;
  /** Strict, described settings of one place in it (under a credential's `store:`, beside `use`). */
  readonly place: Place;
  /** A text that is equal for two places that are the same cell: two credentials may not share one. */
  cell(settings: z.output<Settings>, place: z.output<Place>): string;
  connect(settings: z.output<Settings>, place: z.output<Place>, world: World): Store;
}

export function defineStore<Settings extends z.ZodObject, Place extends z.ZodObject>(
  definition: StoreDefinition<Settings, Place>,
): StoreDefinition<Settings, Place> {
  return definition;
}
