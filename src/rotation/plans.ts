import type { PinnedPlan, Step } from "../model.ts";

/** The plans, as data: the engine knows none of them by name. */
export const PLANS = {
  routine: ["preflight", "create", "verify", "promote", "reload", "validate", "drain", "disable", "revoke", "confirm"],
  /** The first key of an empty store. A crash may have left debts, so it ends like any other. */
  initial: ["preflight", "create", "verify", "promote", "reload", "validate", "revoke", "confirm"],
  /** Everything but the change: the new key is the debt. */
  rehearsal: ["preflight", "create", "verify", "revoke", "confirm"],
  /** The way back while nothing was promoted. */
  discard: ["revoke", "confirm"],
  /** The way back in every other case: the old key is the target again. */
  back: ["promote", "reload", "validate", "drain", "revoke", "confirm"],
} as const satisfies Record<string, readonly Step[]>;

export type PlanName = keyof typeof PLANS;

/** A plan with the policy it is made from, as it is pinned in a rotation's row. */
export function pinPlan(name: PlanName, policy: Pick<PinnedPlan, "consumers" | "overlapMs" | "preflightUntil" | "now">): PinnedPlan {
  return {
    name,
    steps: PLANS[name],
    consumers: policy.consumers,
    overlapMs: policy.now ? 0 : policy.overlapMs,
    preflightUntil: policy.preflightUntil,
    now: policy.now,
    rehearsal: name === "rehearsal",
    wayBack: name === "discard" || name === "back",
  };
}
