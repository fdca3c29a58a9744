import type { Answer, StepContext } from "../context.ts";
import { throughSlotGate } from "../gate.ts";
import { makeKeyBeside } from "./make.ts";

/** Makes the target by regenerating the slot in which the current key does not stand. That revokes what stands in it: it passes the gate. */
export async function regenerateIdleSlot(context: StepContext): Promise<Answer> {
  const { name, provider } = context.provider;
  const listedAt = context.clock.now();
  const listed = await context.call((signal) => provider.list(signal));
  const idle = listed.filter(({ id }) => id !== context.old?.vendorId);
  const [slot] = idle;
  if (slot === undefined || idle.length !== listed.length - 1) {
    const text = `${name}: neither slot holds the key that the ledger calls current`;
    const hint = `put one of the two keys into the store, then: rotatectl abandon ${context.credential.name}, and rotatectl adopt ${context.credential.name}`;
    return { go: "stuck", problem: { code: "noSlot", text, hint } };
  }
  return throughSlotGate(context, slot, () => makeKeyBeside(context, { keys: listed, listedAt }));
}
