import { expect, test } from "vitest";
import { pinPlan } from "../../src/rotation/plans.ts";
import { preflight } from "../../src/rotation/steps/preflight.ts";
import { key, memoryContext, scene } from "./memory-context.ts";

test("a first key that turns out to be a replacement says so in the history", async () => {
  const { context } = memoryContext(scene({ old: key(1), target: undefined, stored: 1 }));
  const plan = pinPlan("initial", context.plan);
  expect(await preflight({ ...context, plan, rotation: { ...context.rotation, plan } })).toMatchObject({
    go: "plan",
    plan: { name: "routine" },
    step: "create",
    events: [{ code: "planChanged", detail: { plan: "routine", text: "the store holds a key of ours" } }],
  });
});
