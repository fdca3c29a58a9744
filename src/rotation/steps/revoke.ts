import type { Answer, StepContext } from "../context.ts";
import { throughGate } from "../gate.ts";
import { again } from "../observe.ts";
import { settleIntents } from "../settle.ts";

/** Deletes the debts for good, each through the gate; over only when no intent is open. */
export async function revoke(context: StepContext): Promise<Answer> {
  const unsettled = await settleIntents(context, false);
  if (unsettled !== undefined) return unsettled;

  const debt = context.debts.find((key) => key.revokedAt === null);
  if (debt === undefined) return { go: "next" };
  const through = await throughGate(context, "revoke", debt);
  if (!through.passed) return through.answer;
  const now = context.clock.now();
  return {
    ...again(context, 0),
    keys: [{ id: debt.id, set: { revokedAt: now } }],
    events: [
      { code: "gatePassed", detail: { keyId: debt.vendorId } },
      { code: "keyRevoked", detail: { keyId: debt.vendorId } },
    ],
  };
}
