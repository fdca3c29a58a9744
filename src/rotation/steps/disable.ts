import { hasCode } from "../../contract/errors.ts";
import type { Key } from "../../model.ts";
import type { Answer, StepContext } from "../context.ts";
import { proveAll } from "../evidence.ts";
import { enableAgain, throughGate } from "../gate.ts";
import { again, askVendor, secretOf } from "../observe.ts";
import { waitBefore } from "../retry.ts";

/** Where the vendor can: switches the debts off and looks again, before anything is deleted for good. */
export async function disable(context: StepContext): Promise<Answer> {
  const { memo, forwardOnly } = context.rotation;
  const debts = context.debts.filter((key) => key.revokeAnnouncedAt === null && context.canDisable(key));
  if (memo["failed"] === true) return switchOn(context, debts);
  if (debts.length === 0 || forwardOnly) return { go: "next", memo };

  const off = new Set<unknown>(Array.isArray(memo["off"]) ? memo["off"] : []);
  const debt = debts.find((key) => !off.has(key.id));
  if (debt === undefined) return awaitParts(context, debts) ?? validateAgain(context);
  const through = await throughGate(context, "disable", debt);
  if (!through.passed) {
    const allOn = debts.every((key) => key.disabledAt === null);
    return allOn || through.answer.go === "again" ? through.answer : again(context, 0, { ...memo, failed: true });
  }
  return { ...again(context, 0, { ...memo, off: [...off, debt.id] }), events: [{ code: "keyDisabled", detail: { keyId: debt.vendorId } }] };
}

/** As long as a part of the vendor may still accept a debt, a consumer that goes on well shows nothing. */
function awaitParts({ clock, rotation, issuer }: StepContext, debts: readonly Key[]): Answer | undefined {
  const at = Math.max(...debts.map((key) => (key.disabledAt ?? 0) + issuer(key).revokeLagMs));
  return clock.now() < at ? { go: "again", at, memo: rotation.memo } : undefined;
}

async function validateAgain(context: StepContext): Promise<Answer> {
  const { target } = context;
  const { memo } = context.rotation;
  const secret = target === undefined ? undefined : await secretOf(context, target);
  if (target === undefined || secret === undefined) return again(context, 0, { ...memo, failed: true });
  const evidence = await proveAll(context, target, secret);
  if (evidence.seen === "proven") return { go: "next", memo };
  if (evidence.seen === "unproven") return { ...again(context, context.timing.pollMs), problem: evidence.problem };
  return { ...again(context, 0, { ...memo, failed: true }), problem: evidence.problem };
}

/** Switches every debt on again and sees that it works; `validate` then decides where the rotation goes. */
async function switchOn(context: StepContext, debts: readonly Key[]): Promise<Answer> {
  const off = debts.find((key) => key.disabledAt !== null);
  if (off === undefined) return { go: "step", step: "validate", why: "not every consumer was fine without the old key" };
  try {
    await enableAgain(context, off);
  } catch (error) {
    if (!hasCode(error, "notFound")) throw error;
    // Somebody deleted it meanwhile.
    const now = context.clock.now();
    const keys = [{ id: off.id, set: { revokeAnnouncedAt: now, revokedAt: now } }];
    return { ...again(context, 0), keys, events: [{ code: "keySettled", detail: { keyId: off.vendorId } }] };
  }
  const secret = await secretOf(context, off);
  const verdict = secret === undefined ? "accepted" : await askVendor(context, off, secret);
  const accepted = verdict === "accepted";
  const events = [{ code: "keyEnabled", detail: { keyId: off.vendorId, accepted } }] as const;
  if (accepted) return { ...again(context, 0), keys: [{ id: off.id, set: { disabledAt: null } }], events };
  const text = `${off.vendorId} was switched on again, and the vendor ${verdict === "refused" ? "refuses it" : "does not let it work"}`;
  return {
    ...again(context, waitBefore(context.rotation.attempts, context.timing, undefined)),
    problem: { code: verdict, text, hint: "look at the key, its quota and its billing at the vendor; it is tried again by itself" },
    events,
  };
}
