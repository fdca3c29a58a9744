import type { Checklist, Event, Outcome, Stage, Step, Trigger } from "./model.ts";

/** What the replies of api.ts show of keys, rotations and events. The same promises hold: fields are added, never renamed. */

/** A key of ours, as people may see it. */
export interface KeyView {
  /** The vendor's id of it. */
  readonly vendorId: string;
  readonly label: string;
  readonly stage: Stage;
  readonly createdAt: number;
  readonly ageMs: number;
  readonly expiresAt: number | null;
  readonly promotedAt: number | null;
  readonly disabledAt: number | null;
  readonly revokedAt: number | null;
  readonly deadAt: number | null;
}

/** A rotation, open or over. */
export interface RotationView {
  readonly id: number;
  readonly credential: string;
  /** The plan's name; another one than at the start after a way back began. */
  readonly plan: string;
  readonly step: Step;
  /** The five steps, in their order. */
  readonly checklist: readonly ChecklistItem[];
  readonly trigger: Trigger;
  readonly actor: string | null;
  readonly reason: string | null;
  /** The vendor's ids of the key that shall serve and of the one that served. */
  readonly target: string | null;
  readonly old: string | null;
  readonly startedAt: number;
  readonly stepSince: number;
  /** When it goes on; `null` when a person must say so, or when it is over. */
  readonly dueAt: number | null;
  readonly attempts: number;
  readonly lastError: { readonly code: string; readonly message: string; readonly hint?: string } | null;
  readonly stuck: { readonly reason: string; readonly hint: string } | null;
  /** The key that a person shall make, for which it waits; `stuck` says how. It goes on by itself once the key is brought. */
  readonly wanted: KeyWanted | null;
  readonly outcome: Outcome | null;
  readonly endedAt: number | null;
}

export interface KeyWanted {
  /** What the key should be called at the vendor. */
  readonly label: string;
  /** When the rotation gives up; `null` when it does not, because no key serves meanwhile. */
  readonly until: number | null;
  /** How often a person was told. */
  readonly told: number;
}

export interface ChecklistItem {
  readonly name: Checklist;
  /** `skipped`: the plan does not have it. */
  readonly state: "ahead" | "running" | "done" | "failed" | "skipped";
  /** What was proven, or what it waits for, as one clause: `key_abc created, accepted 3 times`. */
  readonly text: string | null;
}

export interface EventView extends Event {
  /** `code` and `detail` as one clause. */
  readonly text: string;
}
