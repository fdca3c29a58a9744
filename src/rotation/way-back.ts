import type { Outcome } from "../model.ts";
import type { KeyPatch } from "../state/keys.ts";
import type { Answer, Problem, StepContext } from "./context.ts";
import { again, askVendor, awaitOpenCalls, heldEverywhere, probed, secretOf } from "./observe.ts";
import { type PlanName, pinPlan, ROUTINE } from "./plans.ts";
import { longestWait } from "./retry.ts";

/** Why a rotation cannot go on with its target: the vendor or a consumer contradicts it, or its secret is lost. */
export type Why = "refused" | "contradicted" | "lost" | "cancelled" | "impossible";

/**
 * Takes the way back: the key that served before is the target again, and the new one a debt. It is open only while
 * the old key is good: never announced as switched off or revoked, and accepted by the vendor just now. Otherwise the
 * rotation is forward only: a target that is refused or lost makes room for another one, anything else is repeated and told.
 */
export async function retreat(context: StepContext, why: Why, problem: Problem): Promise<Answer> {
  const { old, plan } = context;
  if (plan.wayBack) return forward(context, why, problem);
  const waiting = awaitOpenCalls(context);
  if (waiting !== undefined) return waiting;
  if (old === undefined || old.stage === "dead" || old.disabledAt !== null || old.revokeAnnouncedAt !== null)
    return forward(context, why, problem);

  const secret = await secretOf(context, old);
  if (secret === undefined) return forward(context, why, problem);
  if ((await askVendor(context, old, secret)) === "refused") {
    const answer = forward(context, why, problem);
    return { ...answer, keys: [...(answer.keys ?? []), probed(context, old)] };
  }

  // What consumers may have held is none of a rehearsal's, nor of its way back.
  const others = context.keys.filter((key) => key.id !== old.id && !(plan.rehearsal && key.promotedAt !== null));
  const neverLeft = plan.rehearsal || ((await heldEverywhere(context, old)) && others.every((key) => key.promotedAt === null));
  const name: PlanName = neverLeft ? "discard" : "back";
  const now = context.clock.now();
  // Nothing is wrong with a key from the pool that a person's word keeps from serving: it was not made for nothing.
  const spared = why === "cancelled" && neverLeft && plan.supply === "intake";
  const demoted = others
    .filter((key) => key.id === context.target?.id)
    .map(({ id }): { id: number; set: KeyPatch } => ({ id, set: { stage: spared ? "pooled" : "retiring" } }));
  const oldStage = neverLeft ? "current" : old.stage === "retiring" ? "pending" : old.stage;

  const way = { ...pinPlan(name, { ...plan, overlapMs: 0, preflightUntil: null }), rehearsal: plan.rehearsal };
  const first = way.steps[0];
  if (first === undefined) throw new Error(`plan ${name} has no step`);
  return {
    go: "plan",
    plan: way,
    step: first,
    rotation: {
      target: old.id,
      endsAs: endsAs(why),
      cancelRequested: false,
      forwardOnly: false,
      reloadedAt: null,
      validatedAt: null,
      lastCode: problem.code,
      lastError: problem.text,
    },
    keys: [...demoted, { id: old.id, set: { stage: oldStage, leftAt: null, probedAt: now } }],
    events: [
      { code: "planChanged", detail: { plan: name, why: problem.code, text: problem.text, hint: problem.hint, serves: old.vendorId } },
      ...(spared && context.target !== undefined ? [{ code: "keyReturned", detail: { keyId: context.target.vendorId } } as const] : []),
    ],
  };
}

const endsAs = (why: Why): Exclude<Outcome, "done" | "abandoned"> => (why === "cancelled" ? "cancelled" : "failed");

/** No way back: another target where this one is no good, else the same step at the longest wait, and a person is told. */
function forward(context: StepContext, why: Why, problem: Problem): Answer {
  const { target, old, plan, clock, timing } = context;
  if ((why === "refused" || why === "lost") && target !== undefined && plan.name !== "discard") {
    const next = plan.steps.includes("create") ? plan : pinPlan(ROUTINE[plan.supply], { ...plan, preflightUntil: null });
    return {
      go: "plan",
      plan: next,
      step: "create",
      rotation: { target: null, cancelRequested: false, forwardOnly: true, reloadedAt: null, validatedAt: null, endsAs: "done" },
      keys: [{ id: target.id, set: { stage: "retiring" } }],
      events: [{ code: "planChanged", detail: { plan: next.name, step: "create", why: problem.code, text: problem.text } }],
    };
  }
  const noRoad = `${old === undefined ? "no key served before" : "the old key is no longer good"}, so there is no way back`;
  return {
    go: "stuck",
    at: clock.now() + longestWait(timing),
    problem: {
      ...problem,
      hint: `${problem.hint}; ${plan.wayBack ? "this is the way back already" : noRoad}: it is tried again by itself, or say rotatectl abandon`,
    },
    ...(context.rotation.cancelRequested ? { rotation: { cancelRequested: false } } : {}),
  };
}

/** What the engine runs in the place of a step when an operator said `cancel`. */
export function cancelRotation(context: StepContext): Promise<Answer> {
  if (context.plan.wayBack) return Promise.resolve({ ...again(context, 0), rotation: { cancelRequested: false, endsAs: "cancelled" } });
  return retreat(context, "cancelled", { code: "cancelled", text: "an operator cancelled the rotation", hint: "nothing to do" });
}
