import type { z } from "zod";
import type { Supply } from "../model.ts";
import type { Finding } from "./finding.ts";
import type { Secret } from "./secret.ts";
import type { KeepSession } from "./session.ts";
import type { Through, ThroughConsumer } from "./through.ts";
import type { World } from "./world.ts";

/** A key as the vendor lists it; it never carries the secret value. */
export interface VendorKey {
  /** Never used for two keys. Where a slot is used again and again, it names the value that stands there. */
  readonly id: string;
  /** The name we gave it; empty where the vendor keeps none. */
  readonly label: string;
  /** When it was looked at, where the vendor keeps no time. */
  readonly createdAt: Date;
  readonly enabled: boolean;
  readonly expiresAt?: Date;
  /** What the vendor shows of the secret, to find a key that is to be adopted. */
  readonly hint?: string;
  /** `null` when never used; left out by vendors that do not tell, or tell it in `lastUse` only. */
  readonly lastUsedAt?: Date | null;
}

/** A key that was just created: often the one moment its secret can be read. */
export interface CreatedKey extends VendorKey {
  readonly secret: Secret;
}

/** What a new key shall be. */
export interface CreateRequest {
  readonly label: string;
  /** The key whose rights it gets. */
  readonly like?: VendorKey;
  /** The secret that it shall have, which the store holds already. */
  readonly secret?: Secret;
}

/** `limited`: a key that the vendor knows but that may not do this (scope, quota, billing). */
export type Verdict = "accepted" | "refused" | "limited";

/**
 * Manages the keys of one account at one LLM vendor.
 *
 * Methods block until the vendor has answered, honour `signal`, and throw only `AdapterError` or the
 * reason of an abort. None retries: the rotation engine does. An ability that a vendor lacks is a
 * method that is not there.
 */
export interface Provider {
  /** What stands in the way of a rotation and can be known beforehand. Changes nothing. */
  preflight?(signal: AbortSignal): Promise<readonly Finding[]>;

  /**
   * Creates a key called `label` that may do what `like` may, and no more: limits, scopes, expiry and tags are carried
   * over unless a setting says otherwise, the label never is. With `secret` as its secret where the definition has `makeSecret`.
   * A `dual-slot` vendor regenerates the slot that `like` does not stand in, and throws `misconfigured` without `like`.
   * Not idempotent: after a crash the engine looks for `label` before it calls this again.
   */
  create?(request: CreateRequest, signal: AbortSignal): Promise<CreatedKey>;

  /** How many refusals make a key dead, where who asks in vain too often is shut out; `timing.confirm.times` where it is left out. */
  readonly refusalsToDead?: number;

  /** Every live key of the account, ours or not, through all pages. */
  list(signal: AbortSignal): Promise<readonly VendorKey[]>;

  /**
   * When a key was last used, at a vendor that is asked that of one key at a time, so that a listing does not cost a call for
   * each. `null` when never; `undefined` where it does not say: of a key that is not there, or that signs our own calls.
   */
  lastUse?(keyId: string, signal: AbortSignal): Promise<Date | null | undefined>;

  /** The secret of a key that we made and lost, where the vendor gives it back. */
  recover?(keyId: string, signal: AbortSignal): Promise<Secret>;

  /** Gives a key that a person made a name of ours, where the vendor lets a name be changed. */
  rename?(keyId: string, label: string, signal: AbortSignal): Promise<void>;

  /** The key that this secret belongs to; `undefined` when that is not certain. */
  identify(secret: Secret, signal: AbortSignal): Promise<VendorKey | undefined>;

  /**
   * Makes the cheapest call that shows whether `secret` can do its work, on a connection of its own.
   * `refused` only for this vendor's "no such key". What is no {@link Verdict} is thrown: an outage is not an answer.
   */
  verify(secret: Secret, signal: AbortSignal): Promise<Verdict>;

  /** Switches a key off, or on again: the way back that `revoke` is not. */
  setEnabled?(keyId: string, enabled: boolean, signal: AbortSignal): Promise<void>;

  /**
   * Makes the key unusable for good, and what was made with it. Resolves when it is already gone, and leaves a slot alone that
   * holds another key by now. `label` is the one that we made it under, if we did: where something outlives the key, such as a
   * token, it is found by that, also after a lost reply.
   */
  revoke(keyId: string, signal: AbortSignal, label?: string): Promise<void>;

  /** See {@link KeepSession}. */
  readonly keepSession?: KeepSession;
}

/** What a file in `providers/` exports: the facts, the settings, the client. */
export interface ProviderDefinition<Settings extends z.ZodObject = z.ZodObject> {
  readonly title: string;
  readonly apiDocs: string;
  /** How its keys come to be, unless `supplyOf` says otherwise. */
  readonly supply: Supply;
  /** There where a setting decides it: rights that the vendor's call cannot give, so that a person must. */
  supplyOf?(settings: z.output<Settings>): Supply;
  /**
   * There where the vendor keeps no label: after a crash a key can be known as ours only by what appeared since the intent,
   * and only where the settings say that the account is `exclusive`: nobody but rotated makes keys there. At a `dual-slot` vendor
   * nobody uses them either: what an unknown value in the idle slot is good for cannot be seen, and a rotation regenerates it.
   */
  unlabelled?(settings: z.output<Settings>): { readonly exclusive: boolean };
  /** The vendor shows nothing of a secret: `identify` never is certain, and a person who adopts a key names its id. */
  readonly cannotIdentify?: true;
  /** How many keys can exist at once, where they are so few that a rotation must look for room: two per user, say. */
  readonly places?: number;
  /**
   * The settings that say in whose name the management calls are made: who shares them all shares the vendor's rate limit,
   * whatever else differs. Without it, each entry of the configuration counts as an account of its own.
   */
  readonly account?: readonly (keyof z.output<Settings> & string)[];
  /** How long a key just created may be missing from `list`. */
  readonly listLagMs: number;
  /**
   * How long a part of the vendor may still accept a key that was revoked: replicas with caches of their own. Meanwhile its
   * answers flap, and a refusal proves nothing for the rest of it. Left out where one refusal stands for all.
   */
  readonly revokeLagMs?: number;
  /** How exact `lastUsedAt` or `lastUse` is, and how late; left out by vendors that do not tell. */
  readonly lastUsed?: { readonly precisionMs: number; readonly lagMs: number };
  /** Where the vendor takes a secret of ours: it is staged in the store before `create` is called. */
  makeSecret?(random: (bytes: number) => Uint8Array): Secret;
  /** What every key of this vendor looks like, so that something else is refused before anybody is asked about it. */
  readonly keyForm?: { readonly pattern: RegExp; readonly hint: string };
  /** What a person does who makes a key by hand: where, and with which settings. For vendors of the supply `intake`. */
  intake?(settings: z.output<Settings>): { readonly url: string; readonly steps: readonly string[] };
  /** Strict: an unknown setting is an error, and the descriptions are the docs. */
  readonly settings: Settings;
  /** Where the vendor is a consumer of the configuration itself, whose own secret this is. */
  readonly through?: Through;
  /** What each call of a rotation does at this vendor, for `rotatectl plan`. One clause each. */
  describe(settings: z.output<Settings>): Description;
  /** `consumer`: the one of `through`. */
  connect(settings: z.output<Settings>, world: World, consumer?: ThroughConsumer): Provider;
}

/** What a rotation does at a vendor, in clauses for people, and how long its keys live. */
export interface Description {
  readonly create: string;
  readonly revoke: string;
  /** What revoke leaves behind or lets somebody undo, where that is not nothing. */
  readonly afterRevoke?: string;
  readonly keyLifetimeMs?: number;
  /** What else people should know or do, for `rotatectl plan`. One clause each. */
  readonly notes?: readonly string[];
}

/** A definition whose client is known to have more than the contract demands of every vendor. */
type Defined<Settings extends z.ZodObject, Connected extends Provider> = Omit<ProviderDefinition<Settings>, "connect"> & {
  connect(settings: z.output<Settings>, world: World, consumer?: ThroughConsumer): Connected;
};

/** Ties a definition's settings and its client together for the compiler. */
export function defineProvider<Settings extends z.ZodObject, Connected extends Provider>(
  definition: Defined<Settings, Connected>,
): Defined<Settings, Connected> {
  return definition;
}
