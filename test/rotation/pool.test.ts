import { expect, test } from "vitest";
import { AdapterError } from "../../src/contract/errors.ts";
import type { StepContext } from "../../src/rotation/context.ts";
import { shelve } from "../../src/rotation/gate.ts";
import { create } from "../../src/rotation/steps/create.ts";
import { key, memoryContext, NOW, type Scene, scene } from "./memory-context.ts";

const POOLED = key(3, { stage: "pooled", promotedAt: null });
const OFF = key(3, { stage: "pending", promotedAt: null, disabledAt: NOW - 1000 });

/** A rotation that takes its key from the pool, in which key 3 waits or from which it was drawn. */
function about(more: Partial<Scene> = {}, change: Partial<StepContext> = {}) {
  const { context, calls } = memoryContext(scene({ target: undefined, stored: 1, kept: [1, 3], ...more }));
  const plan = { ...context.plan, supply: "intake" as const };
  const changed: StepContext = {
    ...context,
    plan,
    provider: { ...context.provider, supply: "intake" },
    keys: [...context.keys, POOLED],
    ...change,
  };
  return { context: changed, calls };
}

test("a key that is drawn changes nothing but the ledger", async () => {
  const listed = async () => [{ id: POOLED.vendorId, label: "", createdAt: new Date(NOW), enabled: true }];
  const { context, calls } = about();
  const provider = { ...context.provider, provider: { ...context.provider.provider, list: listed } };
  const answer = await create({ ...context, provider, issuer: () => provider });
  expect(answer).toMatchObject({ go: "again", at: NOW, keys: [{ id: 3, set: { stage: "pending" } }], rotation: { target: 3 } });
  expect(calls).toEqual([]);
});

test("a key of another provider than the credential's present one is not drawn, whatever it was brought for", async () => {
  const old = { ...POOLED, provider: "before" };
  const { context, calls } = about();
  const listed = async () => [{ id: old.vendorId, label: "", createdAt: new Date(NOW), enabled: true }];
  const issuer = () => ({ ...context.provider, name: "before", provider: { ...context.provider.provider, list: listed } });
  expect(await create({ ...context, issuer, keys: [old] })).toMatchObject({
    go: "again",
    keys: [{ id: 3, set: { stage: "retiring" } }],
    events: [{ code: "keyUnfit", detail: { why: "it is of provider before, and the credential of openai" } }],
  });
  expect(calls).toEqual([]);
});

test("a key that a rotation has drawn is not switched off any more, whatever was seen of it before", async () => {
  const { context, calls } = about({}, { fresh: () => OFF });
  expect(await shelve(context, POOLED)).toMatchObject({ off: false, why: "a rotation has taken it" });
  expect(calls).toEqual([]);
});

test("a switch-off waits for open calls, and leaves alone what a place or another credential holds", async () => {
  expect(await shelve(about({ openUntil: NOW + 1 }).context, POOLED)).toMatchObject({ off: false, passes: true });
  expect(await shelve(about({ others: [key(9, { credential: "other" })] }).context, POOLED)).toMatchObject({
    why: expect.stringContaining("another credential"),
  });
  expect(await shelve(about({ stored: 3 }, { keyWith: () => POOLED }).context, POOLED)).toMatchObject({
    why: expect.stringContaining("the store"),
  });
  expect(await shelve(about({ canDisable: false }).context, POOLED)).toMatchObject({
    why: expect.stringContaining("cannot switch keys off"),
    passes: false,
  });
  const { context, calls } = about({}, { fresh: () => POOLED });
  expect(await shelve(context, POOLED)).toEqual({ off: true });
  expect(calls).toEqual(["announce disable", "disable key_3"]);
});

test("a drawn key is switched on once no call can take effect any more, not before", async () => {
  const early = about({ openUntil: NOW + 500 }, { target: OFF });
  expect(await create(early.context)).toEqual({ go: "again", at: NOW + 500, aftermath: true });
  expect(early.calls).toEqual([]);
  const { context, calls } = about({}, { target: OFF });
  expect(await create(context)).toMatchObject({ go: "next", keys: [{ id: 3, set: { disabledAt: null } }] });
  expect(calls).toEqual(["announce enable", "enable key_3"]);
});

test("a drawn key that turns out to be gone makes room for another; an outage does not", async () => {
  const failing = (code: "notFound" | "unavailable") => {
    const { context } = about({}, { target: OFF });
    const irreversible = () => ({ revoke: async () => {}, setEnabled: () => Promise.reject(new AdapterError(code, "no")) });
    return create({ ...context, irreversible });
  };
  expect(await failing("notFound")).toMatchObject({
    go: "again",
    keys: [{ id: 3, set: { stage: "retiring" } }],
    rotation: { target: null },
  });
  await expect(failing("unavailable")).rejects.toMatchObject({ code: "unavailable" });
});

test("reminders that fell into a downtime are told once", async () => {
  const memo = { wait: { label: "rotated-x", askedAt: NOW - 5500, until: NOW + 4500, told: 1 } };
  const { context } = about({ memo }, {});
  const answer = await create({ ...context, keys: [], provider: { ...context.provider, supply: "intake" } });
  expect(answer).toMatchObject({ go: "stuck", at: NOW + 500, rotation: { memo: { wait: { label: "rotated-x", told: 6 } } } });
  expect(answer).toMatchObject({ problem: { code: "keyWanted", text: expect.stringContaining("(reminder 5)") } });
});

test.each([
  ["create", "intake"],
  ["create", "dual-slot"],
  ["dual-slot", "create"],
] as const)(
  "a rotation that was planned for %s calls nobody at a provider of %s, which a reload put in its place",
  async (planned, supply) => {
    const { context, calls } = about({});
    const changed = { ...context, plan: { ...context.plan, supply: planned }, provider: { ...context.provider, supply } };
    await expect(create(changed)).rejects.toMatchObject({ code: "misconfigured", hint: expect.stringContaining("rotatectl abandon") });
    expect(calls).toEqual([]);
  },
);
