import type { CredentialConfig, Timing } from "../config/config.ts";
import type { Consumer } from "../contract/consumer.ts";
import type { Provider } from "../contract/provider.ts";
import type { Secret } from "../contract/secret.ts";
import type { Mirror, Store } from "../contract/store.ts";
import type { Clock } from "../contract/world.ts";
import type { Call, CallKind, Intent, Key, PinnedPlan, Rotation, Step, Supply } from "../model.ts";
import type { Commit } from "../state/ledger.ts";

/** A provider without its irreversible calls: those are the gate's alone. */
export type SafeProvider = Omit<Provider, "revoke" | "setEnabled">;

export interface ProviderPlug {
  readonly name: string;
  readonly provider: Provider;
  /** How the vendor's keys come to be; a rotation may take one from the pool all the same. */
  readonly supply: Supply;
  readonly listLagMs: number;
  /** How long a part of the vendor may still accept a revoked key. */
  readonly revokeLagMs: number;
  /** Where the vendor takes a secret of ours. */
  readonly makeSecret?: (random: (bytes: number) => Uint8Array) => Secret;
  readonly lastUsed?: { readonly precisionMs: number; readonly lagMs: number };
  /** How many keys can exist at once, where they are few. */
  readonly places?: number;
  /** There where the vendor keeps no label. `exclusive`: nobody but rotated makes keys in the account. */
  readonly unlabelled?: { readonly exclusive: boolean };
  /** What a person does who makes a key by hand. */
  readonly intake?: { readonly url: string; readonly steps: readonly string[] };
}

export interface MirrorPlug {
  readonly name: string;
  readonly mirror: Mirror;
}

export interface ConsumerPlug {
  readonly name: string;
  readonly consumer: Consumer;
  readonly acceptAnswered: boolean;
}

/** What is known of one credential, and whom to ask about it; there is one also while no rotation is open. */
export interface CredentialContext {
  readonly credential: CredentialConfig;
  readonly timing: Timing;
  readonly clock: Clock;
  /** Aborts at shutdown, and when an operator takes the rotation over. */
  readonly signal: AbortSignal;

  /** Keys of this credential that are not dead. */
  readonly keys: readonly Key[];
  /** When the last call that was announced and not answered can no longer take effect; `undefined` when none is open. */
  readonly openUntil: number | undefined;
  /** A key's row as it is at this moment. */
  fresh(key: Key): Key;
  /** The newest row of this credential with this fingerprint, dead ones too. */
  keyWith(fingerprint: string): Key | undefined;
  /** Rows of other credentials that hold the same key of the vendor. */
  othersHolding(key: Pick<Key, "provider" | "vendorId">): readonly Key[];
  /** Whether another credential was taken out of management. */
  isRetired(credential: string): boolean;

  readonly provider: Omit<ProviderPlug, "provider"> & { readonly provider: SafeProvider };
  /** The provider that issued a key, or was asked for one, which may be another one than the credential's present one. */
  issuer(key: Pick<Key, "provider">): Omit<ProviderPlug, "provider"> & { readonly provider: SafeProvider };
  /** Whether the issuer can switch a key off and on. */
  canDisable(key: Key): boolean;
  readonly store: Store;
  /** Further places that must hold what the store holds. */
  readonly mirrors: readonly MirrorPlug[];

  fingerprint(secret: Secret): string;
  /** Calls a plug with a deadline of one call (or `ms`). A time-out is `AdapterError` `timeout`. */
  call<T>(work: (signal: AbortSignal) => Promise<T>, ms?: number): Promise<T>;
  /**
   * Commits that a call is about to leave. The step's answer closes it, unless the step fails without the other side's answer.
   * `false`, with nothing written, only for a create for which no place is free.
   */
  announce(call: AnnouncedCreate | { readonly kind: Exclude<CallKind, "create">; readonly key: Key }): Promise<boolean>;
  /** The vendor calls of the gate; see gate.ts, the only file that may use it. */
  readonly irreversible: (key: Key) => Pick<Provider, "revoke" | "setEnabled">;
}

/** A create call that is about to leave; `listed` are the vendor's ids right before, as it was asked for them at `listedAt`. */
interface AnnouncedCreate {
  readonly kind: "create";
  readonly label: string;
  readonly listed: readonly string[];
  readonly listedAt: number;
  /** A secret of our own is staged before the call leaves. */
  readonly stagesFirst: boolean;
}

/** All that a step may see and use. A step knows neither the database nor the scheduler. */
export interface StepContext extends CredentialContext {
  readonly rotation: Rotation;
  readonly plan: PinnedPlan;
  readonly target: Key | undefined;
  /** The key that served when the rotation started. */
  readonly old: Key | undefined;
  /** Keys of ours that must be made dead; never the target. */
  readonly debts: readonly Key[];
  /** The credential's, oldest first. */
  openIntents(): readonly Intent[];
  /** The create call of an intent. */
  createCall(label: string): Call | undefined;
  /** Whether the ledger has a key of a provider, of any credential, dead ones too. */
  isInLedger(key: Pick<Key, "provider" | "vendorId">): boolean;
  /**
   * Until when a create call of another credential at a provider may still be answered, so that a key of its making is not in
   * the ledger yet; `undefined` when none is under way.
   */
  othersCreateUntil(provider: string): number | undefined;
  /** The consumers of the pinned and of the present configuration. */
  readonly consumers: readonly ConsumerPlug[];

  /** A new label, never used before. */
  newLabel(): string;
  /** A new secret, at a vendor that takes one of ours; `undefined` where the vendor makes them. */
  newSecret(): Secret | undefined;
  /** When the wall clock was last seen to jump. */
  readonly clockJumpedAt: number | undefined;
}

/** What a step wants to be written beside where it goes on. */
export type Writes = Omit<Commit, "rotation"> & { readonly rotation?: Omit<NonNullable<Commit["rotation"]>, "step" | "dueAt" | "outcome"> };

/** A word and a sentence for what stands in the way, and what cures it. */
export interface Problem {
  readonly code: string;
  readonly text: string;
  readonly hint: string;
}

/** Where a rotation goes after a step. The engine turns it into one commit. */
export type Answer = Writes &
  /** The next step of the plan, which finds `memo` if it is given. */
  (
    | { readonly go: "next"; readonly memo?: Readonly<Record<string, unknown>> }
    /**
     * The same step again at `at`; `memo` replaces what it remembers. With a `problem` it counts as an attempt that failed, without
     * one as an attempt that went well; one that only waits for what an earlier call may still do is its `aftermath`, and neither.
     */
    | {
        readonly go: "again";
        readonly at: number;
        readonly memo?: Readonly<Record<string, unknown>>;
        readonly problem?: Problem;
        readonly aftermath?: true;
      }
    | { readonly go: "step"; readonly step: Step; readonly why: string }
    | { readonly go: "plan"; readonly plan: PinnedPlan; readonly step: Step }
    /** Loud. With `at` it is tried again by itself; without, a person must say `retry` or `abandon`. */
    | { readonly go: "stuck"; readonly problem: Problem; readonly at?: number }
    | { readonly go: "end"; readonly outcome: "failed" | "done"; readonly problem?: Problem }
  );

export type StepRun = (context: StepContext) => Promise<Answer>;
