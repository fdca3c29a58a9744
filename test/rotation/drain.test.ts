import { expect, test } from "vitest";
import { drain } from "../../src/rotation/steps/drain.ts";
import { memoryContext, NOW, scene } from "./memory-context.ts";

test("an overlap that is longer than the limit of the drain leaves time after it", async () => {
  const { context } = memoryContext(scene({ usedAt: { old: NOW - 1000, target: NOW - 500 } }));
  const long = (passedMs: number) => {
    const rotation = { ...context.rotation, reloadedAt: NOW - passedMs, stepSince: NOW - passedMs + 100, validatedAt: NOW - passedMs + 50 };
    return drain({ ...context, rotation, plan: { ...context.plan, overlapMs: 40_000 } });
  };
  expect(await long(40_500), "used a second ago").toMatchObject({ go: "again" });
  expect(await long(70_500)).toMatchObject({ go: "stuck", problem: { code: "notIdle" } });
});
