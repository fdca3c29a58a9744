import { AdapterError } from "../../contract/errors.ts";
import type { Secret } from "../../contract/secret.ts";
import type { Answer, Problem, StepContext } from "../context.ts";
import { RELOAD_REVOKES, seenServing, supersede } from "../in-place.ts";
import { again, is, mirrorsShow, secretOf, storeHolds } from "../observe.ts";
import { retreat } from "../way-back.ts";

/** Has every consumer pick the store's current value up, until all of them hold the target. */
export async function reload(context: StepContext): Promise<Answer> {
  const { target } = context;
  if (target === undefined) return { go: "step", step: "create", why: "there is no key to load" };
  const holds = await storeHolds(context);
  if (!is(holds, target) || !(await mirrorsShow(context, target)))
    return { go: "step", step: "promote", why: "the store or a mirror does not hold the target" };
  const secret = (await secretOf(context, target)) ?? holds.secret;
  const inPlace = RELOAD_REVOKES[context.plan.supply];
  const servedAt = inPlace ? await seenServing(context) : undefined;
  const other = await reloadAll(context, secret);
  const superseded = other ?? (inPlace ? await supersede(context, target, secret, servedAt) : { keys: [], events: [] });
  if ("text" in superseded) return contradicted(context, superseded);
  return {
    go: "next",
    // A mirror may have made it live before: then this is late, which only makes the drain wait for some new runs as well.
    rotation: { reloadedAt: context.clock.now() },
    keys: superseded.keys,
    events: [
      ...context.consumers.map(({ name }) => ({ code: "consumerReloaded" as const, detail: { consumer: name } })),
      ...superseded.events,
    ],
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
  const from = looked ? Math.min(since, now) : now;
  if (now - from >= timing.reloadSettleMs) return retreat(context, "contradicted", problem);
  return again(context, timing.pollMs, { ...rotation.memo, contradictedSince: from, contradictedAt: now });
}
