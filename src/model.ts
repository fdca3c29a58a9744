/**
 * The nouns of rotated, as data. Every other module may import this one; it imports nothing.
 * What each word means: ARCHITECTURE.md.
 */

/** Where a key stands: `pooled` → `pending` → `current` → `retiring` → `dead`. */
export type Stage = "pooled" | "pending" | "current" | "retiring" | "dead";

/** One row of the step table. */
export type Step = "preflight" | "create" | "verify" | "promote" | "reload" | "validate" | "drain" | "disable" | "revoke" | "confirm";

/** The five steps that an operator sees. */
export const CHECKLIST = ["generate", "update", "reload", "validate", "revoke"] as const;
export type Checklist = (typeof CHECKLIST)[number];

/** How a rotation ended. An open one has none; an open one that waits for a person is stuck. */
export type Outcome = "done" | "failed" | "cancelled" | "abandoned";

/** How well a consumer was seen to use a key: it showed a fingerprint; the vendor saw it; a request succeeded. */
export type Grade = "value" | "vendor" | "answered";

/**
 * How a vendor's keys come to be: by a call; by a person at the vendor's console; in two fixed slots, of which the idle one
 * is regenerated; or one value at a time, which we make ourselves and which is live when the consumer has loaded it.
 */
export type Supply = "create" | "intake" | "dual-slot" | "in-place";

/** What started a rotation. */
export type Trigger = "schedule" | "operator";

/** A call that changes the world outside. Each is announced on disk before it leaves. */
export type CallKind = "create" | "promote" | "disable" | "enable" | "revoke";

/** One key of ours at a vendor. All times are Unix milliseconds; the secret is never here. */
export interface Key {
  readonly id: number;
  readonly credential: string;
  /** The provider's name in the configuration. */
  readonly provider: string;
  /** The name of the key's version in the store's keep. For a key that we created, its label at the vendor, too. */
  readonly version: string;
  /** The vendor's id of the key. */
  readonly vendorId: string;
  readonly stage: Stage;
  /** HMAC of the secret under this installation's key; `null` when the secret was never seen. */
  readonly fingerprint: string | null;
  readonly createdAt: number;
  readonly expiresAt: number | null;
  /** When a promote of it was first announced: from then on a consumer may hold it. */
  readonly promotedAt: number | null;
  /** When a disable of it was announced; `null` again once it was switched on. */
  readonly disabledAt: number | null;
  /** When a revoke of it was announced: from then on it counts as gone. */
  readonly revokeAnnouncedAt: number | null;
  /** When the vendor answered that it is revoked or already gone. */
  readonly revokedAt: number | null;
  /** When the gate was last seen to pass for it but for another credential that holds the same key. */
  readonly leftAt: number | null;
  /** When our own probe last called the vendor with its secret. */
  readonly probedAt: number | null;
  readonly deadAt: number | null;
}

/** The journalled promise to make one create call. */
export interface Intent {
  readonly label: string;
  readonly credential: string;
  readonly provider: string;
  readonly rotation: number;
  readonly announcedAt: number;
  /** The vendor's ids that were listed right before; `null` where a key is found by its label. */
  readonly known: readonly string[] | null;
  /** The vendor answered that nothing was created. It closes like any other, but is not counted. */
  readonly refused: boolean;
  readonly closedAt: number | null;
}

/** An announced call. It is open until it was answered, or until `openUntil` when no answer came. */
export interface Call {
  readonly id: number;
  readonly credential: string;
  readonly kind: CallKind;
  readonly label: string | null;
  readonly key: number | null;
  readonly announcedAt: number;
  readonly openUntil: number;
  readonly answeredAt: number | null;
}

/** The plan of one rotation, pinned when it started. References by name only: no address, no secret. */
export interface PinnedPlan {
  readonly name: string;
  readonly steps: readonly Step[];
  /** Where its new key comes from. */
  readonly supply: Supply;
  /** The consumers that must be seen to use the target, beside those of the present configuration. */
  readonly consumers: readonly { readonly use: string; readonly settings: Readonly<Record<string, unknown>> }[];
  readonly overlapMs: number;
  /** Until when `preflight` may wait for something that passes; `null`: as long as it takes. */
  readonly preflightUntil: number | null;
  /** Ignores window and schedule, and has no overlap. */
  readonly now: boolean;
  /** `verify` makes the new key a debt: nothing is promoted. */
  readonly rehearsal: boolean;
  /** A way back cannot be taken back. */
  readonly wayBack: boolean;
}

/** One run that replaces the current key of a credential. */
export interface Rotation {
  readonly id: number;
  readonly credential: string;
  readonly plan: PinnedPlan;
  readonly step: Step;
  readonly trigger: Trigger;
  /** Who asked, as the control socket saw them; `null` for the schedule. */
  readonly actor: string | null;
  readonly reason: string | null;
  /** The key that shall serve when the rotation ends. */
  readonly target: number | null;
  /** The key that served when it started. */
  readonly old: number | null;
  /** When to go on, in Unix milliseconds; `null` when only a person can make it go on. */
  readonly dueAt: number | null;
  readonly outcome: Outcome | null;
  /** The outcome that the end of the plan will write. */
  readonly endsAs: Outcome;
  readonly stuckReason: string | null;
  readonly stuckHint: string | null;
  /** The old key was found dead or gone: no drain, no disable, no way back. */
  readonly forwardOnly: boolean;
  /** Somebody said `cancel`: the way back is taken at the next turn. */
  readonly cancelRequested: boolean;
  /** Attempts of this step that failed since one went well. */
  readonly attempts: number;
  /** Since when they do. */
  readonly troubleSince: number | null;
  /** Create calls since the start or the last `retry`; refused ones are not counted. */
  readonly intents: number;
  readonly startedAt: number;
  readonly stepSince: number;
  /** When every consumer answered that it had picked the target up. */
  readonly reloadedAt: number | null;
  readonly validatedAt: number | null;
  /** The last thing that went wrong, as code and text. */
  readonly lastCode: string | null;
  readonly lastError: string | null;
  readonly endedAt: number | null;
  /** What the running step wants to find again after a wait or a crash. Empty at each new step. */
  readonly memo: Readonly<Record<string, unknown>>;
}

/** One line of a credential's history. Append-only. */
export interface Event {
  readonly id: number;
  readonly at: number;
  readonly credential: string;
  readonly rotation: number | null;
  readonly step: Step | null;
  /** A stable word that says what happened; see src/state/events.ts. */
  readonly code: string;
  readonly detail: Readonly<Record<string, unknown>>;
}
