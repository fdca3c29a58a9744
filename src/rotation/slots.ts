import type { Finding } from "../contract/finding.ts";
import type { VendorKey } from "../contract/provider.ts";
import type { Secret } from "../contract/secret.ts";
import type { Key } from "../model.ts";
import type { Problem, StepContext } from "./context.ts";
import type { StoreHolds } from "./observe.ts";

/** The two slots of an account: the key that the store holds stands in one, the other is idle. */
export interface Slots {
  readonly serving: Key;
  readonly secret: Secret;
  readonly idle: VendorKey;
}

/** Tells the slots apart by what the store holds; a problem where neither holds that, or one is missing. */
export function tellSlots(of: { name: string; credential: string }, holds: StoreHolds, listed: readonly VendorKey[]): Slots | Problem {
  if (holds.what === "ours") {
    const { key: serving, secret } = holds;
    const others = listed.filter(({ id }) => id !== serving.vendorId);
    const [idle] = others;
    if (idle !== undefined && others.length === 1 && listed.length === 2) return { serving, secret, idle };
  }
  return neitherSlot(of, holds.what === "ours" ? holds.key.vendorId : "the value of the store");
}

/** Somebody else regenerated the slot that served: nothing may be done until a person has said what serves. */
export function neitherSlot({ name, credential }: { name: string; credential: string }, what: string): Problem {
  return {
    code: "noSlot",
    text: `${name}: neither slot holds ${what}`,
    hint: `put the key that shall serve into the store, then: rotatectl abandon ${credential} if a rotation is open, and rotatectl adopt ${credential}`,
  };
}

/** What stands in the way of regenerating the idle slot. `refused`: the vendor does not take the key that the store holds. */
export function slotFindings(context: StepContext, holds: StoreHolds, listed: readonly VendorKey[], refused: boolean): readonly Finding[] {
  const { name } = context.provider;
  const slots = tellSlots({ name, credential: context.credential.name }, holds, listed);
  if ("code" in slots && refused) return [{ code: slots.code, message: slots.text, cure: slots.hint }];
  const addresses = "do the addresses in the provider's settings belong to one account?";
  if ("code" in slots) return [{ code: "unlisted", message: `${slots.text}, which the vendor accepts`, cure: addresses }];
  const { serving, idle } = slots;
  if (refused) return [{ code: "refused", message: `${name}: the vendor lists ${serving.vendorId}, and refuses it`, cure: addresses }];
  const holder = context.othersHolding({ provider: name, vendorId: idle.id }).find(({ stage }) => stage !== "dead");
  if (holder === undefined) return [];
  const cure = "give each credential an account of its own: one needs both slots";
  return [{ code: "sharedKey", message: `${name}: the idle slot holds ${idle.id}, which credential ${holder.credential} uses`, cure }];
}
