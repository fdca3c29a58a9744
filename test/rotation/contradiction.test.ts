import { expect, test } from "vitest";
import { contradicted } from "../../src/rotation/steps/reload.ts";
import { verify } from "../../src/rotation/steps/verify.ts";
import { memoryContext, NOW, scene } from "./memory-context.ts";

const PROBLEM = { code: "contradicted", text: "the gateway holds another value", hint: "look at it" };
const [SINCE, LAST] = ["contradictedSince", "contradictedAt"] as const;

/** What a look answers that comes after those that the memo knows of. */
function look(memo: Readonly<Record<string, unknown>>) {
  const { context } = memoryContext(scene({ memo }));
  return { answer: contradicted(context, PROBLEM), timing: context.timing };
}

const { timing } = look({});
const longAgo = NOW - timing.reloadSettleMs - timing.proveTimeoutMs - 1;

test("a contradiction is looked at again before it leads back", async () => {
  expect(await look({}).answer).toMatchObject({ go: "again", memo: { [SINCE]: NOW, [LAST]: NOW } });
});

test("one that lasted for as long as somebody looked leads back", async () => {
  const memo = { [SINCE]: NOW - timing.reloadSettleMs, [LAST]: NOW - timing.pollMs };
  expect((await look(memo).answer).go).toBe("plan");
});

test("one that was last seen before a long outage begins anew: nobody saw it last", async () => {
  expect(await look({ [SINCE]: longAgo, [LAST]: longAgo }).answer).toMatchObject({ go: "again", memo: { [SINCE]: NOW } });
});

test("one that was first seen before the clock went back counts from now, and not from the old time", async () => {
  const ahead = NOW + timing.reloadSettleMs + timing.proveTimeoutMs;
  expect(await look({ [SINCE]: ahead, [LAST]: ahead }).answer).toMatchObject({ go: "again", memo: { [SINCE]: NOW } });
});

test("so does the time over which a new key must be accepted", async () => {
  const { context } = memoryContext(scene({ memo: { accepted: 1, firstAt: NOW + 3_600_000 } }));
  expect(await verify(context)).toMatchObject({ go: "again", memo: { accepted: 2, firstAt: NOW } });
});
