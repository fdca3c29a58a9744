import type { z } from "zod";
import type { Finding } from "./finding.ts";
import type { Secret } from "./secret.ts";
import type { World } from "./world.ts";

/** A key as the vendor lists it; it never carries the secret value. */
export interface VendorKey {
  readonly id: string;
  /** The name we gave it; empty where the vendor keeps none. */
  readonly label: string;
  readonly createdAt: Date;
  readonly enabled: boolean;
  readonly expiresAt?: Date;
  /** What the vendor shows of the secret, to find a key that is to be adopted. */
  readonly hint?: string;
  /** `null` when never used; left out by vendors that do not tell. */
  readonly lastUsedAt?: Date | null;
}

/** A key that was just created: often the one moment its secret can be read. */
export interface CreatedKey extends VendorKey {
  readonly secret: Secret;
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
   * Creates a key called `label` that may do what `like` may, and no more.
   * Not idempotent: after a crash the engine looks for `label` before it calls this again.
   */
  create(request: { label: string; like?: VendorKey }, signal: AbortSignal): Promise<CreatedKey>;

  /** Every live key of the account, ours or not, through all pages. */
  list(signal: AbortSignal): Promise<readonly VendorKey[]>;

  /** The key that this secret belongs to; `undefined` when that is not certain. */
  identify(secret: Secret, signal: AbortSignal): Promise<VendorKey | undefined>;

  /**
   * Makes the cheapest call that shows whether `secret` can do its work, on a connection of its own.
   * `refused` only for this vendor's "no such key". Everything else is thrown: an outage is not an answer.
   */
  verify(secret: Secret, signal: AbortSignal): Promise<Verdict>;

  /** Switches a key off, or on again: the way back that `revoke` is not. */
  setEnabled?(keyId: string, enabled: boolean, signal: AbortSignal): Promise<void>;

  /** Makes the key unusable for good. Resolves when it is already gone. */
  revoke(keyId: string, signal: AbortSignal): Promise<void>;
}

/** What a file in `providers/` exports: the facts, the settings, the client. */
export interface ProviderDefinition<Settings extends z.ZodObject = z.ZodObject> {
  readonly title: string;
  readonly apiDocs: string;
  /** How long a key just created may be missing from `list`. */
  readonly listLagMs: number;
  /** How exact `lastUsedAt` is, and how late; left out by vendors that do not tell. */
  readonly lastUsed?: { readonly precisionMs: number; readonly lagMs: number };
  /** Strict: an unknown setting is an error, and the descriptions are the docs. */
  readonly settings: Settings;
  /** What each call of a rotation does at this vendor, for `rotatectl plan`. One clause each. */
  describe(settings: z.output<Settings>): { readonly create: string; readonly revoke: string; readonly keyLifetimeMs?: number };
  connect(settings: z.output<Settings>, world: World): Provider;
}

/** Ties a definition's settings and its client together for the compiler. */
export function defineProvider<Settings extends z.ZodObject>(definition: ProviderDefinition<Settings>): ProviderDefinition<Settings> {
  return definition;
}
