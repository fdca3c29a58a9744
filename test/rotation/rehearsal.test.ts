import { expect, test } from "vitest";
import { cancelRotation } from "../../src/rotation/way-back.ts";
import { key, memoryContext, type Scene, scene } from "./memory-context.ts";

/** A rehearsal that has made key 2, while key 1 serves. */
function rehearsal(more: Partial<Scene>) {
  const old = key(1);
  const target = key(2, { stage: "pending", promotedAt: null });
  const { context } = memoryContext(scene({ old, target, stored: 1, ...more }));
  const plan = { ...context.plan, rehearsal: true };
  return { ...context, plan, rotation: { ...context.rotation, plan } };
}

test("a rehearsal writes no mirror that is behind, also where it is cancelled", async () => {
  expect(await cancelRotation(rehearsal({ mirrors: [undefined] }))).toMatchObject({
    go: "plan",
    plan: { name: "discard", rehearsal: true },
    keys: [
      { id: 2, set: { stage: "retiring" } },
      { id: 1, set: { stage: "current" } },
    ],
  });
});
