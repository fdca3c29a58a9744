import { AdapterError, hasCode } from "../contract/errors.ts";
import type { CallKind, Key } from "../model.ts";
import type { Answer, CredentialContext, Problem, StepContext } from "./context.ts";
import { busyRuns, idleness, nameRuns, proveAll, runsInMemo } from "./evidence.ts";
import { again, askVendor, awaitOpenCalls, heldEverywhere, heldSomewhere, probed, secretOf } from "./observe.ts";
import { longestWait } from "./retry.ts";
import type { Slots } from "./slots.ts";
import { retreat } from "./way-back.ts";

/** It let the call through and the vendor has answered, or what the step shall answer instead. */
export type GateAnswer = { readonly passed: true } | { readonly passed: false; readonly answer: Answer };

/**
 * The one way to an irreversible call: looks at the world right now, and only if everything holds announces the call
 * and makes it. Nothing else in the program calls a provider's `revoke` or switches a key off.
 */
export async function throughGate(context: StepContext, kind: Extract<CallKind, "disable" | "revoke">, debt: Key): Promise<GateAnswer> {
  const closed = await whyClosed(context, debt);
  if (closed !== undefined) return { passed: false, answer: closed };
  await context.announce({ kind, key: debt });
  if (kind === "revoke") await context.call((signal) => context.irreversible(debt).revoke(debt.vendorId, signal, debt.version));
  else await context.call((signal) => switchOff(context, debt, signal));
  return { passed: true };
}

/** A key that is gone is off. */
async function switchOff(context: StepContext, debt: Key, signal: AbortSignal): Promise<void> {
  try {
    await context.irreversible(debt).setEnabled?.(debt.vendorId, false, signal);
  } catch (error) {
    if (!hasCode(error, "notFound")) throw error;
    await mustBeGone(context, debt, error, signal);
  }
}

/** Whatever stands before a vendor says "not there" now and then: so the key must not be listed either. */
async function mustBeGone(context: StepContext, key: Key, cause: unknown, signal: AbortSignal): Promise<void> {
  const { name, provider } = context.issuer(key);
  if (!(await provider.list(signal)).some(({ id }) => id === key.vendorId)) return;
  throw new AdapterError("inconclusive", `${name}: switch key on or off: ${key.vendorId} is said not to be there, and is listed`, {
    cause,
  });
}

/**
 * The same for the idle slot of a two-slot vendor: to regenerate it is to revoke what stands there. The key that serves is asked
 * about in the place of a target. `regenerate` announces its call and makes it; `behind` is for consumers that use another value.
 */
export async function throughSlotGate(
  context: StepContext,
  { serving, secret, idle }: Slots,
  { regenerate, behind }: { regenerate: () => Promise<Answer>; behind: (problem: Problem) => Promise<Answer> },
): Promise<Answer> {
  const { name, unlabelled } = context.provider;
  const waiting = awaitOpenCalls(context);
  if (waiting !== undefined) return waiting;
  const row = context.keys.find(({ vendorId }) => vendorId === idle.id);
  if (row !== undefined && row.stage !== "retiring")
    return stuckAtGate(
      context,
      `${idle.id} stands in the idle slot, and is ${row.stage}`,
      "rotatectl abandon, then adopt the key that serves",
    );
  if (row === undefined && unlabelled?.exclusive !== true)
    return stuckAtGate(
      context,
      `${name}: ${idle.id} in the idle slot is not known to be ours`,
      "see that nobody uses it, then set exclusive",
    );

  // The consumers first: they take longest, and the rest must be fresh when the call leaves.
  const evidence = await proveAll(context, serving, secret);
  if (evidence.seen === "unproven") return { ...again(context, context.timing.pollMs), problem: evidence.problem };
  if (evidence.seen === "contradicted") return behind(evidence.problem);
  if (evidence.seen === "refused") return retreat(context, evidence.seen, evidence.problem);
  // The idle slot holds another value than the one that serves: where all places hold that one, none holds it.
  if (!(await heldEverywhere(context, serving)))
    return stuckAtGate(
      context,
      `not every place holds ${serving.vendorId}`,
      "put the value back that belongs there, then: rotatectl retry",
    );
  const holder = context.othersHolding({ provider: name, vendorId: idle.id }).find(({ stage }) => stage !== "dead");
  if (holder !== undefined) return waitForHolder(context, idle.id, holder);
  const verdict = await askVendor(context, serving, secret);
  if (verdict === "accepted") return regenerate();
  const text = `the vendor ${verdict === "refused" ? "refuses" : "does not let work"} ${serving.vendorId}, which serves`;
  return stuckAtGate(context, text, "look at the key and its account at the vendor");
}

/** A key of the pool is off, or it stays on for a reason, which may pass. */
export type Shelved = { readonly off: true } | { readonly off: false; readonly why: string; readonly passes: boolean };

/**
 * Switches a key off that waits in the pool, where no consumer has ever held it. A rotation may draw it at any moment: whoever
 * is first in the ledger has it.
 */
export async function shelve(context: CredentialContext, key: Key): Promise<Shelved> {
  const stays = (why: string, passes = false): Shelved => ({ off: false, why, passes });
  if (!context.canDisable(key)) return stays("the vendor cannot switch keys off");
  if (context.openUntil !== undefined) return stays("a call to the vendor is still open", true);
  if (key.promotedAt !== null || (await heldSomewhere(context, key))) return stays("the store or a mirror holds it");
  if (context.othersHolding(key).some(({ stage }) => stage !== "dead")) return stays("another credential uses it");
  if (context.fresh(key).stage !== "pooled") return stays("a rotation has taken it");
  await context.announce({ kind: "disable", key });
  await context.call(async (signal) => context.irreversible(key).setEnabled?.(key.vendorId, false, signal));
  return { off: true };
}

/** The way back from a disable: switches a key on again. Throws `notFound` for one that is gone, and not listed either. */
export async function enableAgain(context: StepContext, key: Key): Promise<void> {
  await context.announce({ kind: "enable", key });
  await context.call(async (signal) => {
    try {
      await context.irreversible(key).setEnabled?.(key.vendorId, true, signal);
    } catch (error) {
      if (hasCode(error, "notFound")) await mustBeGone(context, key, error, signal);
      throw error;
    }
  });
}

async function whyClosed(context: StepContext, debt: Key): Promise<Answer | undefined> {
  const waiting = awaitOpenCalls(context);
  if (waiting !== undefined) return waiting;
  const own = debt.promotedAt === null ? await neverServed(context, debt) : await successorServes(context, debt);
  if (own !== undefined) return own;

  // A debt of another credential whose own gate has passed does not block, nor a key that we adopted when the other one was
  // retired: nobody will rotate that one away from it. Anything else there is in use.
  const holder = context
    .othersHolding(debt)
    .filter((key) => !context.isRetired(key.credential))
    .find((key) => key.stage !== "dead" && !(key.stage === "retiring" && key.leftAt !== null));
  if (holder === undefined) return undefined;
  return { ...waitForHolder(context, debt.vendorId, holder), keys: [{ id: debt.id, set: { leftAt: context.clock.now() } }] };
}

function waitForHolder(context: StepContext, vendorId: string, holder: Key): Answer {
  const text = `credential ${holder.credential} uses ${vendorId}, too`;
  const hint = `it is revoked once ${holder.credential} was rotated away from it`;
  return {
    go: "again",
    at: context.clock.now() + longestWait(context.timing),
    problem: { code: "sharedKey", text, hint },
  };
}

/** A key that never had a promote announced: no consumer can hold it, as long as no place holds it. */
async function neverServed(context: StepContext, debt: Key): Promise<Answer | undefined> {
  if (!(await heldSomewhere(context, debt))) return undefined;
  return stuckAtGate(
    context,
    `the store or a mirror holds ${debt.vendorId}, which was never promoted`,
    "put the value back that belongs there, then: rotatectl retry",
  );
}

async function successorServes(context: StepContext, debt: Key): Promise<Answer | undefined> {
  const { target } = context;
  if (target === undefined)
    return stuckAtGate(context, `no key serves in the place of ${debt.vendorId}`, "rotatectl abandon, then rotate again");
  const secret = await secretOf(context, target);
  if (secret === undefined) {
    return retreat(context, "lost", {
      code: "secretLost",
      text: `the secret of ${target.vendorId} is no longer in the store's keep`,
      hint: "another key is made",
    });
  }

  // The consumers first: they take longest, and the rest must be fresh when the call leaves.
  const evidence = await proveAll(context, target, secret);
  if (evidence.seen !== "proven") {
    if (evidence.seen === "unproven") return { ...again(context, context.timing.pollMs), problem: evidence.problem };
    if (!(await heldEverywhere(context, target))) return promoteAgain(context);
    return { go: "step", step: "validate", why: evidence.problem.text };
  }
  const runs = await busyRuns(context, runsInMemo(context));
  if (runs === "tooEarly") return again(context, context.timing.pollMs);
  const busy = nameRuns(runs);
  if (busy !== "") {
    const problem = { code: "runsLeft", text: `runs that began on the old key: ${busy}`, hint: "they end by themselves, or end them" };
    return { ...again(context, context.timing.pollMs, { ...context.rotation.memo, runs }), problem };
  }
  if (evidence.by.some(({ grade }) => grade !== "value")) {
    const idle = await idleness(context, debt);
    if (!idle.idle)
      return { go: "again", at: idle.askAt, problem: { code: "notIdle", text: idle.text, hint: "find who still uses the old key" } };
  }

  if (!(await heldEverywhere(context, target))) return promoteAgain(context);
  const verdict = await askVendor(context, target, secret);
  if (verdict === "accepted") return undefined;
  const text = `the vendor ${verdict === "refused" ? "refuses" : "does not let work"} ${target.vendorId}`;
  const problem = { code: verdict, text, hint: "look at the key, its quota and its billing at the vendor" };
  const answer: Answer =
    verdict === "refused"
      ? await retreat(context, "refused", problem)
      : { go: "again", at: context.clock.now() + longestWait(context.timing), problem };
  return { ...answer, keys: [...(answer.keys ?? []), probed(context, target)] };
}

function promoteAgain(context: StepContext): Answer {
  if (context.plan.steps.includes("promote")) return { go: "step", step: "promote", why: "the store or a mirror does not hold the target" };
  return stuckAtGate(
    context,
    "the store or a mirror does not hold the key that serves",
    "put the value back that belongs there, then: rotatectl retry",
  );
}

function stuckAtGate(context: StepContext, text: string, hint: string): Answer {
  return {
    go: "stuck",
    at: context.clock.now() + longestWait(context.timing),
    problem: { code: "gate", text, hint },
    events: [{ code: "gateClosed", detail: { text } }],
  };
}
