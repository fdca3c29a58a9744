import type { Timing } from "../config/config.ts";
import type { Call, Rotation, Step } from "../model.ts";
import type { EventDraft } from "../state/events.ts";
import type { Commit } from "../state/ledger.ts";
import type { RotationPatch } from "../state/rotations.ts";
import type { Answer, Problem } from "./context.ts";
import { longestWait } from "./retry.ts";

/** What one turn of a rotation is committed as: the step's answer, and the calls that have their reply. */
export function commitOf(rotation: Rotation, answer: Answer, answered: readonly Call[], timing: Timing, now: number): Commit {
  const { patch, events } = onward(rotation, answer, timing, now);
  return {
    ...(answer.newKey === undefined ? {} : { newKey: answer.newKey }),
    keys: answer.keys ?? [],
    closeIntents: answer.closeIntents ?? [],
    refusedIntents: answer.refusedIntents ?? [],
    answeredCalls: answered.map(({ id }) => id),
    rotation: { ...patch, ...answer.rotation },
    events: [...(answer.events ?? []), ...events],
  };
}

const UNSTUCK = { stuckReason: null, stuckHint: null } as const;
const WELL = { ...UNSTUCK, attempts: 0, troubleSince: null } as const;
const ENDED = { ...UNSTUCK, troubleSince: null, dueAt: null, cancelRequested: false, memo: {} } as const;

function onward(rotation: Rotation, answer: Answer, timing: Timing, now: number): { patch: RotationPatch; events: EventDraft[] } {
  // Why it turned round is what a person wants to know of a way back, up to its end and after.
  const why = rotation.plan.wayBack ? {} : { lastCode: null, lastError: null };
  const fresh = { ...WELL, ...why, dueAt: now, stepSince: now, memo: {} };
  switch (answer.go) {
    case "next": {
      const { steps } = rotation.plan;
      const next = steps[steps.indexOf(rotation.step) + 1];
      const done = { code: "stepDone", detail: { tookMs: now - rotation.stepSince } } as const;
      if (next !== undefined) return { patch: { ...fresh, step: next, memo: answer.memo ?? {} }, events: [done] };
      const outcome = answer.rotation?.endsAs ?? rotation.endsAs;
      return {
        patch: { ...ENDED, outcome, endedAt: now },
        events: [done, { code: "ended", detail: { outcome, tookMs: now - rotation.startedAt } }],
      };
    }
    case "step":
      if (!rotation.plan.steps.includes(answer.step)) return onward(rotation, outsideThePlan(answer, timing, now), timing, now);
      return { patch: { ...fresh, step: answer.step }, events: [{ code: "planChanged", detail: { step: answer.step, why: answer.why } }] };
    case "plan":
      return { patch: { ...fresh, plan: answer.plan, step: answer.step }, events: [] };
    case "end": {
      const last = answer.problem === undefined ? {} : { lastCode: answer.problem.code, lastError: answer.problem.text };
      const detail = { outcome: answer.outcome, ...described(answer.problem) };
      return { patch: { ...ENDED, ...last, outcome: answer.outcome, endedAt: now }, events: [{ code: "ended", detail }] };
    }
    case "stuck":
      return {
        patch: { ...stuckFor(answer.problem), ...attempt(rotation, answer.problem, now), dueAt: answer.at ?? null },
        events: rotation.stuckReason === answer.problem.text ? [] : [{ code: "stuck", detail: described(answer.problem) }],
      };
    case "again": {
      const memo = answer.memo ?? rotation.memo;
      const { problem, aftermath } = answer;
      if (problem === undefined) return { patch: { ...(aftermath ? {} : WELL), dueAt: answer.at, memo }, events: [] };
      const tell = now - (rotation.troubleSince ?? now) >= timing.tellAfterMs;
      const events: EventDraft[] = [];
      if (rotation.lastError !== problem.text)
        events.push({ code: "waiting", detail: { ...described(problem), retryInMs: answer.at - now } });
      if (tell && rotation.stuckReason === null) events.push({ code: "stuck", detail: described(problem) });
      return { patch: { ...(tell ? stuckFor(problem) : UNSTUCK), ...attempt(rotation, problem, now), dueAt: answer.at, memo }, events };
    }
  }
}

/** A step that this plan does not have, because it needs no such thing: what it would cure is for a person to look at. */
function outsideThePlan({ step, why }: { readonly step: Step; readonly why: string }, timing: Timing, now: number): Answer {
  const hint = "look at rotatectl history, then: rotatectl retry, or abandon";
  return {
    go: "stuck",
    at: now + longestWait(timing),
    problem: { code: "gate", text: `${why}, and this plan has no ${step}`, hint },
  };
}

const described = (problem: Problem | undefined) =>
  problem === undefined ? {} : { why: problem.code, text: problem.text, hint: problem.hint };
const stuckFor = (problem: Problem) => ({ stuckReason: problem.text, stuckHint: problem.hint });
const attempt = (rotation: Rotation, problem: Problem, now: number) => ({
  attempts: rotation.attempts + 1,
  troubleSince: rotation.troubleSince ?? now,
  lastCode: problem.code,
  lastError: problem.text,
});
