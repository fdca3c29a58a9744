import type { Answer, StepContext } from "../context.ts";
import { busyRuns, idleness, nameRuns, runsInMemo } from "../evidence.ts";

/** Runs last from seconds to hours: they are asked for less often than what changes within moments. */
const POLLS_PER_LOOK = 10;

/** Waits until the overlap is over, no run that began on a debt is left, and the vendor sees the debts idle. */
export async function drain(context: StepContext): Promise<Answer> {
  const served = context.debts.filter((key) => key.promotedAt !== null && key.revokedAt === null);
  if (served.length === 0 || context.rotation.forwardOnly) return { go: "next" };
  const { rotation, timing, clock } = context;
  const now = clock.now();

  const reloadedAt = rotation.reloadedAt ?? rotation.stepSince;
  const jumpedAt = context.clockJumpedAt ?? 0;
  // Where the clock went back the reload may lie in the future: then only the jump counts.
  const since = jumpedAt > 0 && reloadedAt > now ? jumpedAt : Math.max(reloadedAt, jumpedAt);
  const overlapEnds = since + context.plan.overlapMs;

  // The runs are asked early and while the overlap lasts: the snapshot behind the answer must be taken soon after the reload.
  const runs = await busyRuns(context, runsInMemo(context));
  const memo = runs === "tooEarly" ? rotation.memo : { ...rotation.memo, runs };
  // The overlap may be longer than the limit.
  const until = Math.max(rotation.stepSince, overlapEnds) + timing.drainLimitMs;
  const wait = (at: number, code: string, text: string): Answer => (now < until ? { go: "again", at, memo } : inUse(code, text));
  const left = runs === "tooEarly" ? "it cannot be told yet" : nameRuns(runs);
  if (left !== "") return wait(now + POLLS_PER_LOOK * timing.pollMs, "runsLeft", `runs that began on the old key: ${left}`);
  if (now < overlapEnds) return { go: "again", at: overlapEnds, memo };

  for (const debt of served) {
    const idle = await idleness(context, debt);
    if (!idle.idle) return wait(idle.askAt, "notIdle", idle.text);
  }
  return {
    go: "next",
    memo,
    events: served.map((debt) => ({ code: "keyIdle" as const, detail: { keyId: debt.vendorId, overlapMs: now - since } })),
  };
}

function inUse(code: string, text: string): Answer {
  const hint = "end what still uses the old key, then: rotatectl retry; both keys work until then";
  return { go: "stuck", problem: { code, text, hint } };
}
