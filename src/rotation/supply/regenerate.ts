import type { Key } from "../../model.ts";
import type { Answer, Problem, StepContext } from "../context.ts";
import { throughSlotGate } from "../gate.ts";
import { again, storeHolds } from "../observe.ts";
import { longestWait } from "../retry.ts";
import { type Slots, tellSlots } from "../slots.ts";
import { drain } from "../steps/drain.ts";
import { contradicted, reloadAll } from "../steps/reload.ts";
import { listKeys, makeKeyLike } from "./make.ts";

/** Makes the target by regenerating the idle slot. That revokes what stands in it: it passes the gate. */
export async function regenerateIdleSlot(context: StepContext): Promise<Answer> {
  const slots = tellSlots(nameOf(context), await storeHolds(context), (await listKeys(context)).keys);
  if ("code" in slots) return { go: "stuck", at: context.clock.now() + longestWait(context.timing), problem: slots };

  const debt = context.keys.find((key) => key.vendorId === slots.idle.id && key.stage === "retiring");
  if (debt !== undefined && debt.promotedAt !== null) {
    const left = await leaveIdleSlot(context, slots, debt);
    if (left !== undefined) return left;
  }
  return throughSlotGate(context, slots, {
    regenerate: () => regenerate(context, slots, debt),
    behind: (problem) => bringAlong(context, slots, problem),
  });
}

/** The gate took its time: only if the slots are still what it was asked about does the call leave. */
async function regenerate(context: StepContext, { serving, idle }: Slots, debt: Key | undefined): Promise<Answer> {
  const listed = await listKeys(context);
  if (![serving.vendorId, idle.id].every((id) => listed.keys.some((key) => key.id === id))) return again(context, 0);
  const answer = await makeKeyLike(context, listed, serving);
  if (debt === undefined || answer.newKey === undefined) return answer;
  const { id, vendorId, revokeAnnouncedAt, revokedAt } = debt;
  const now = context.clock.now();
  return {
    ...answer,
    keys: [...(answer.keys ?? []), { id, set: { revokeAnnouncedAt: revokeAnnouncedAt ?? now, revokedAt: revokedAt ?? now } }],
    events: [{ code: "keyRevoked", detail: { keyId: vendorId } }, ...(answer.events ?? [])],
  };
}

/** A debt that served and was never revoked stands in the idle slot: it is drained like any other before it dies. */
async function leaveIdleSlot(context: StepContext, slots: Slots, debt: Key): Promise<Answer | undefined> {
  if (context.plan.rehearsal) {
    const text = `${debt.vendorId} stands in the idle slot, and may be in use still: an earlier rotation did not end`;
    const hint = `rotatectl rotate ${context.credential.name} makes it dead first`;
    return { go: "end", outcome: "failed", problem: { code: "idleSlotInUse", text, hint } };
  }
  if (context.rotation.reloadedAt === null) {
    // From here on it is known which runs began on it.
    const other = await reloadAll(context, slots.secret);
    if (other !== undefined) return contradicted(context, other);
    return { ...again(context, 0), rotation: { reloadedAt: context.clock.now() } };
  }
  const answer = await drain({ ...context, debts: [debt] });
  return answer.go === "next" ? undefined : answer;
}

/** A consumer is behind, because a rotation ended before its reload: it is told once more what serves. A rehearsal tells nobody anything. */
async function bringAlong(context: StepContext, { secret }: Slots, problem: Problem): Promise<Answer> {
  if (context.plan.rehearsal) return { go: "end", outcome: "failed", problem };
  return contradicted(context, (await reloadAll(context, secret)) ?? problem);
}

const nameOf = ({ provider, credential }: StepContext) => ({ name: provider.name, credential: credential.name });
