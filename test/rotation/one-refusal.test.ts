import { expect, test } from "vitest";
import { confirm } from "../../src/rotation/steps/confirm.ts";
import { key, memoryContext, NOW, scene } from "./memory-context.ts";

/** A debt that was revoked and refused once, at a vendor that says how many refusals make a key dead. */
function refusedOnce(refusalsToDead: number | undefined) {
  const old = key(1, { stage: "retiring", revokedAt: NOW - 1000 });
  const memo = { [old.version]: { count: 1, firstAt: NOW - 500, lastAt: NOW - 500 } };
  const { context } = memoryContext(scene({ old, memo, verdicts: { "sk-canary-2": "accepted" } }));
  const issuer: typeof context.issuer = (of) => {
    const plug = context.issuer(of);
    return { ...plug, provider: { ...plug.provider, ...(refusalsToDead !== undefined && { refusalsToDead }) } };
  };
  return confirm({ ...context, issuer });
}

test("one refusal is enough where more would lock us out", async () => {
  expect(await refusedOnce(1)).toMatchObject({ events: [{ code: "keyDead", detail: { refusals: 1 } }] });
});

test("it takes the usual three elsewhere, and no setting of a vendor asks for more", async () => {
  expect((await refusedOnce(undefined)).events ?? []).toEqual([]);
  expect((await refusedOnce(9)).events ?? []).toEqual([]);
});

/** `confirm` of a debt that was refused twice, the last time at `lastAt`, at a vendor that still knows it where `accepted`. */
function refusedTwice(lastAt: number, { accepted = false, limitMs = 10_000 } = {}) {
  const old = key(1, { stage: "retiring", revokedAt: NOW - 1000 });
  const memo = { [old.version]: { count: 2, firstAt: NOW - 500, lastAt } };
  const verdicts = { "sk-canary-2": "accepted", "sk-canary-1": accepted ? "accepted" : "refused" } as const;
  const { context } = memoryContext(scene({ old, memo, verdicts }));
  const timing = { ...context.timing, confirm: { ...context.timing.confirm, limitMs } };
  return { old, answer: confirm({ ...context, timing }) };
}

test("a wake-up before its time, as after `retry`, brings no two refusals closer together", async () => {
  const { answer } = refusedTwice(NOW - 4);
  expect(await answer).toEqual({ go: "again", at: NOW + 6 });
});

test("refusals from before the clock went back are not counted: how far apart they lie is not known", async () => {
  const { old, answer } = refusedTwice(NOW + 3_600_000);
  expect(await answer).toMatchObject({ go: "again", memo: { [old.version]: { count: 1, lastAt: NOW } } });
});

test("a rotation that is stuck because the vendor still knows the key has forgotten the refusals before: they must be in a row", async () => {
  const { answer } = refusedTwice(NOW - 100, { accepted: true, limitMs: 0 });
  expect(await answer).toMatchObject({ go: "stuck" });
  expect((await answer).rotation).toEqual({ memo: {} });
});

test("a person is not told to delete a key that is refused already, beside the one that serves", async () => {
  const old = key(1, { stage: "retiring", revokedAt: NOW - 1000 });
  const { context } = memoryContext(scene({ old, verdicts: { "sk-canary-2": "limited" } }));
  const timing = { ...context.timing, confirm: { ...context.timing.confirm, limitMs: 0 } };
  expect(await confirm({ ...context, timing })).toMatchObject({
    go: "stuck",
    problem: { code: "notDead", hint: "look at key_2, its quota and its billing at the vendor, then: rotatectl retry" },
  });
});
