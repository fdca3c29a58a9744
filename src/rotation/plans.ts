import type { Config, CredentialConfig } from "../config/config.ts";
import type { PinnedPlan, Step, Supply } from "../model.ts";
import { windowCloses } from "../schedule.ts";
import type { Ledger } from "../state/ledger.ts";

/** The plans, as data: the engine knows none of them by name. */
export const PLANS = {
  routine: ["preflight", "create", "verify", "promote", "reload", "validate", "drain", "disable", "revoke", "confirm"],
  /** The key comes from a person, or from the pool that a person filled. */
  intake: ["preflight", "create", "verify", "promote", "reload", "validate", "drain", "disable", "revoke", "confirm"],
  /** The new key is made by regenerating the idle slot, and the old one dies by regenerating its own. */
  "dual-slot": ["preflight", "create", "verify", "promote", "reload", "validate", "drain", "revoke", "confirm"],
  /** One value at a time: the reload is the revoke. */
  "in-place": ["preflight", "create", "promote", "reload", "validate", "confirm"],
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

/** The plan that replaces a key, by where the new one comes from. */
export const ROUTINE = {
  create: "routine",
  intake: "intake",
  "dual-slot": "dual-slot",
  "in-place": "in-place",
} as const satisfies Record<Supply, PlanName>;

/** Where a first key can come from with nothing in its place: elsewhere there is always one already, and it is adopted. */
export const CAN_BEGIN: Readonly<Record<Supply, boolean>> = { create: true, intake: true, "dual-slot": false, "in-place": false };

/** A plan with the policy it is made from, as it is pinned in a rotation's row. */
export function pinPlan(
  name: PlanName,
  policy: Pick<PinnedPlan, "supply" | "consumers" | "overlapMs" | "preflightUntil" | "now">,
): PinnedPlan {
  return {
    name,
    steps: PLANS[name],
    supply: policy.supply,
    consumers: policy.consumers,
    overlapMs: policy.now ? 0 : policy.overlapMs,
    preflightUntil: policy.preflightUntil,
    now: policy.now,
    rehearsal: name === "rehearsal",
    wayBack: name === "discard" || name === "back",
  };
}

/**
 * The plan of a rotation that starts now: of an empty store without a key of ours it is the first one. A key that waits in
 * the pool is taken before another one is made.
 */
export function planFor(
  { ledger, config }: { ledger: Ledger; config: () => Pick<Config, "providers"> },
  credential: CredentialConfig,
  { now, at, rehearsal = false }: { now: boolean; at: number; rehearsal?: boolean },
) {
  const stages = ledger.keys.live(credential.name).map(({ stage }) => stage);
  const usual = config().providers[credential.provider]?.supply ?? "create";
  const supply = !rehearsal && stages.includes("pooled") ? "intake" : usual;
  const name: PlanName = rehearsal ? "rehearsal" : stages.includes("current") || !CAN_BEGIN[supply] ? ROUTINE[supply] : "initial";
  return pinPlan(name, {
    supply,
    consumers: credential.consumers,
    overlapMs: credential.overlapMs,
    preflightUntil: now || credential.window === undefined ? null : windowCloses(at, credential.window),
    now,
  });
}
