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
