import { createHash } from "node:crypto";
import { z } from "zod";
import { Secret } from "../../src/contract/secret.ts";

/** What Azure calls the two keys of an account in its requests. */
export type SlotName = "Key1" | "Key2";

/** One of the two keys as it is now. */
export interface Slot {
  readonly name: SlotName;
  /** Names the value, not the slot: a slot is used again and again. */
  readonly id: string;
  readonly secret: Secret;
}

const value = z
  .string()
  .min(1)
  .transform((text) => new Secret(text));

/** Both slots, in their order: what listing and regenerating answer. */
export const bothSlots = z
  .looseObject({ key1: value, key2: value })
  .transform(({ key1, key2 }): readonly [Slot, Slot] => [toSlot("Key1", key1), toSlot("Key2", key2)]);

function toSlot(name: SlotName, secret: Secret): Slot {
  return { name, secret, id: `${name}:${createHash("sha256").update(secret.reveal()).digest("hex").slice(0, 12)}` };
}
