import { AdapterError } from "../../contract/errors.ts";
import type { Supply } from "../../model.ts";
import type { StepContext, StepRun } from "../context.ts";
import { awaitOpenCalls } from "../observe.ts";
import { settleIntents } from "../settle.ts";
import { makeKey } from "../supply/make.ts";
import { drawFromPool, switchOn } from "../supply/pool.ts";
import { regenerateIdleSlot } from "../supply/regenerate.ts";

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
  const waiting = unsettled ?? awaitOpenCalls(context);
  if (waiting !== undefined) return waiting;
  mustBeAsPlanned(context);
  return FROM[context.plan.supply](context);
}

/** A reload may have put another provider in place of the one that was planned for: to make a key there may take another care. */
function mustBeAsPlanned({ plan, provider, credential }: StepContext): void {
  const fits = plan.supply === provider.supply || (plan.supply === "intake" && provider.supply === "create");
  if (fits) return;
  const text = `provider ${provider.name} has its keys otherwise (${provider.supply}) than this rotation was planned for (${plan.supply})`;
  throw new AdapterError("misconfigured", text, {
    cure: `give ${credential.name} the provider again with which it began and reload, or say rotatectl abandon`,
  });
}
