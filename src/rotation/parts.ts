import type { KeyObject } from "node:crypto";
import type { Config, CredentialConfig } from "../config/config.ts";
import type { Store } from "../contract/store.ts";
import type { Clock } from "../contract/world.ts";
import type { Logger } from "../log.ts";
import type { Call, PinnedPlan, Rotation } from "../model.ts";
import type { Ledger } from "../state/ledger.ts";
import type { ConsumerPlug, MirrorPlug, ProviderPlug } from "./context.ts";

/** What the engine is put together from. */
export interface EngineParts {
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly random: (bytes: number) => Uint8Array;
  readonly installation: string;
  readonly fingerprintKey: KeyObject;
  /** The present configuration; it may be another one at each turn. */
  readonly config: () => Config;
  readonly plugs: () => Plugs;
  readonly log: Logger;
  /** A rotation came to rest: it waits, is stuck, or has ended. */
  readonly atRest: (rotation: Rotation) => void;
}

/** The providers, stores and consumers of one configuration, connected when they are first asked for. */
export interface Plugs {
  provider(name: string): ProviderPlug;
  store(credential: CredentialConfig): Store;
  /** In the order of the configuration. */
  mirrors(credential: CredentialConfig): readonly MirrorPlug[];
  /** Those of the present configuration, and those that a rotation was started with. */
  consumers(credential: CredentialConfig, pinned: PinnedPlan["consumers"]): readonly ConsumerPlug[];
  consumer(credential: string, use: { readonly use: string; readonly settings: Readonly<Record<string, unknown>> }): ConsumerPlug;
}

/** What the engine watches of a running turn. */
export interface TurnState {
  /** Calls that were announced in this turn. */
  announced: readonly Call[];
  /** Calls of plugs under way, and until when (monotonic) each must have ended. */
  readonly calls: Set<{ readonly until: number }>;
}
