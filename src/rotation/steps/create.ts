import type { Supply } from "../../model.ts";
import type { StepContext, StepRun } from "../context.ts";
import { awaitOpenCalls } from "../observe.ts";
import { settleIntents } from "../settle.ts";
import { makeKey } from "../supply/make.ts";
import { drawFromPool, switchOn } from "../supply/pool.ts";
import { regenerateIdleSlot } from "../supply/slots.ts";

/** Where the target comes from. A value in place is made like any other key: only that no vendor is told of it. */
const FROM: Readonly<Record<Supply, StepRun>> = {
  create: makeKey,
  intake: drawFromPool,
  "dual-slot": regenerateIdleSlot,
  "in-place": makeKey,
};

/** Brings the target about: what an earlier call left is settled first, and no call is ever repeated blindly. */
export async function create(context: StepContext) {
  if (context.target !== undefined) return switchOn(context, context.target);
  const unsettled = await settleIntents(context, true);
  return unsettled ?? awaitOpenCalls(context) ?? FROM[context.plan.supply](context);
}
