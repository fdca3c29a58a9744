import { AdapterError } from "../../contract/errors.ts";
import type { Secret } from "../../contract/secret.ts";
import type { Answer, Problem, StepContext } from "../context.ts";
import { again, is, mirrorsShow, secretOf, storeHolds } from "../observe.ts";
import { retreat } from "../way-back.ts";

/** Has every consumer pick the store's current value up, until all of them hold the target. */
export async function reload(context: StepContext): Promise<Answer> {
  const { target } = context;
  if (target === undefined) return { go: "step", step: "create", why: "there is no key to load" };
  const holds = await storeHolds(context);
  if (!is(holds, target) || !(await mirrorsShow(context, target)))
    return { go: "step", step: "promote", why: "the store or a mirror does not hold the target" };
  const secret = await secretOf(context, target);
  const other = await reloadAll(context, secret ?? holds.secret);
  if (other !== undefined) return contradicted(context, other);
  return {
    go: "next",
    rotation: { reloadedAt: context.clock.now() },
    events: context.consumers.map(({ name }) => ({ code: "consumerReloaded" as const, detail: { consumer: name } })),
  };
}

/**
 * One reload of every consumer; `undefined` when all hold the secret, else what contradicts it. A consumer that could
 * not load the value for a reason that passes, or that a person cures, is thrown as an outage.
 */
export async function reloadAll(context: StepContext, secret: Secret): Promise<Problem | undefined> {
  for (const { consumer } of context.consumers) {
    const holding = await context.call((signal) => consumer.reload(secret, signal), context.timing.proveTimeoutMs);
    if (holding.holds === "stale") throw new AdapterError("unavailable", holding.cause, { cure: holding.cure });
    if (holding.holds === "other") return { code: "contradicted", text: holding.cause, hint: holding.cure };
  }
  return undefined;
}

/** A reload may have joined an older one: it is repeated, and only a contradiction that lasts leads back. */
export async function contradicted(context: StepContext, problem: Problem): Promise<Answer> {
  const now = context.clock.now();
  const { rotation, timing } = context;
  const { contradictedSince: since, contradictedAt: last } = rotation.memo;
  // Time in which nobody looked, because the daemon was down, is no time in which it lasted.
  const looked = typeof since === "number" && typeof last === "number" && now - last < timing.reloadSettleMs + timing.proveTimeoutMs;
  const from = looked ? since : now;
  if (now - from >= timing.reloadSettleMs) return retreat(context, "contradicted", problem);
  return again(context, timing.pollMs, { ...rotation.memo, contradictedSince: from, contradictedAt: now });
}
