import type { ConsumerDefinition } from "../contract/consumer.ts";
import type { ProviderDefinition } from "../contract/provider.ts";
import type { StoreDefinition } from "../contract/store.ts";
import type { Supply } from "../model.ts";

/** The configuration after reading, checking and parsing: what the rest of the program sees. All durations are milliseconds. */
export interface Config {
  readonly stateDirectory: string;
  readonly socket: string;
  readonly resolveSocket: string;
  readonly providers: Readonly<Record<string, ProviderConfig>>;
  readonly stores: Readonly<Record<string, StoreConfig>>;
  readonly consumers: Readonly<Record<string, ConsumerConfig>>;
  readonly credentials: Readonly<Record<string, CredentialConfig>>;
  readonly control: { readonly act: readonly Caller[]; readonly read: readonly Caller[] };
  readonly network: NetworkConfig;
  readonly timing: Timing;
  /** Things to tell the operator that are no errors, such as a secret in the environment. */
  readonly warnings: readonly string[];
}

export interface ProviderConfig {
  readonly type: string;
  readonly definition: ProviderDefinition;
  /** Parsed by the definition's schema. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** How its keys come to be with these settings. */
  readonly supply: Supply;
  /** The vendor's habit, unless a setting overrides it. */
  readonly listLagMs: number;
  /** The same of how long a revoked key may still be accepted somewhere; 0 where one refusal stands for all. */
  readonly revokeLagMs: number;
  readonly lastUsed?: { readonly precisionMs: number; readonly lagMs: number };
}

export interface StoreConfig {
  readonly type: string;
  readonly definition: StoreDefinition;
  readonly settings: Readonly<Record<string, unknown>>;
}

export interface ConsumerConfig {
  readonly type: string;
  readonly definition: ConsumerDefinition;
  readonly settings: Readonly<Record<string, unknown>>;
  /** Takes the grade `answered` together with the vendor's idle evidence. */
  readonly acceptAnswered: boolean;
}

export interface CredentialConfig {
  readonly name: string;
  readonly provider: string;
  readonly store: StorePlace;
  /** Further places that get a copy of the current value. */
  readonly mirrors: readonly StorePlace[];
  readonly consumers: readonly { readonly use: string; readonly settings: Readonly<Record<string, unknown>> }[];
  /** The accounts that get its current value on the resolve socket. */
  readonly resolve: readonly UserCaller[];
  readonly schedule: Schedule | undefined;
  readonly window: Window | undefined;
  readonly overlapMs: number;
  /** Up to this much is added to each planned time, different for each credential. */
  readonly jitterMs: number;
}

/** One place in a store of the configuration. */
export interface StorePlace {
  readonly use: string;
  readonly place: Readonly<Record<string, unknown>>;
}

export type Schedule =
  | { readonly every: number }
  /** A cron expression of five fields, and its IANA time zone. */
  | { readonly cron: string; readonly zone: string };

/** A part of the day, `"02:00"` to `"05:00"`, in an IANA time zone; it may go over midnight. */
export interface Window {
  readonly from: string;
  readonly to: string;
  readonly zone: string;
}

/** Who may use the control socket: a user or a group, by name or number. */
export type Caller = UserCaller | { readonly group: string | number };
export type UserCaller = { readonly user: string | number };

export interface NetworkConfig {
  readonly proxy: string | undefined;
  readonly noProxy: readonly string[];
  /** PEM files with further certificate authorities. */
  readonly ca: readonly string[];
  /** Allows plain http and ws off loopback. */
  readonly allowHttp: boolean;
}

/** Every number of a rotation, as a setting (`timing:`). */
export interface Timing {
  /** How long one call may take. A call without an answer counts as open for twice this. */
  readonly callTimeoutMs: number;
  /** How long a live request through a consumer may take. */
  readonly proveTimeoutMs: number;
  /** Acceptances in a row that `verify` wants, over how long, and when it gives up. */
  readonly verify: { readonly times: number; readonly overMs: number; readonly deadlineMs: number };
  /** How long a consumer may go on holding another value after a reload that answered well. */
  readonly reloadSettleMs: number;
  readonly drainLimitMs: number;
  /** Refusals in a row that make a key dead, how far apart, and when `confirm` gives up. */
  readonly confirm: { readonly times: number; readonly apartMs: number; readonly limitMs: number };
  /** Waits between attempts; the last one repeats. */
  readonly waitsMs: readonly number[];
  /** When a person is told that a step does not get on. */
  readonly tellAfterMs: number;
  /** After a failed rotation: again after `first`, doubling to `last`. */
  readonly afterFailure: { readonly firstMs: number; readonly lastMs: number };
  /** How long the pauses of polling are, where the world must be asked again. */
  readonly pollMs: number;
  /** How often a person is reminded to bring a key, and when the rotation gives up. */
  readonly intake: { readonly remindMs: number; readonly deadlineMs: number };
  /** How far in the past missed schedules are spread into the future. */
  readonly spreadMs: number;
}
