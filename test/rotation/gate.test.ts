import { describe, expect, test } from "vitest";
import { AdapterError } from "../../src/contract/errors.ts";
import type { StepContext } from "../../src/rotation/context.ts";
import { throughGate } from "../../src/rotation/gate.ts";
import { disable } from "../../src/rotation/steps/disable.ts";
import { ANSWERED, key, memoryContext, NOW, PROVEN, type Scene, scene } from "./memory-context.ts";

const OTHER = { result: "contradicted", cause: "it has another value", cure: "reload it" } as const;
const REFUSED = { result: "refused", cause: "the vendor refused it", cure: "look at it" } as const;

/** All is well but for one thing; each row closes the gate by itself. `answer` is a part of what the step shall answer. */
const CLOSED: readonly { readonly why: string; readonly but: Partial<Scene>; readonly answer: object }[] = [
  { why: "a call is open", but: { openUntil: NOW + 700 }, answer: { go: "again", at: NOW + 700 } },
  { why: "nothing serves in its place", but: { target: undefined }, answer: { go: "stuck", problem: { code: "gate" } } },
  { why: "the store holds the old key", but: { stored: 1 }, answer: { go: "step", step: "promote" } },
  { why: "the store holds nothing", but: { stored: undefined }, answer: { go: "step", step: "promote" } },
  { why: "the store holds a stranger's value", but: { stored: 9 }, answer: { go: "step", step: "promote" } },
  { why: "a mirror holds the old key", but: { mirrors: [2, 1] }, answer: { go: "step", step: "promote" } },
  { why: "a mirror holds nothing", but: { mirrors: [undefined] }, answer: { go: "step", step: "promote" } },
  { why: "a mirror holds a stranger's value", but: { mirrors: [9] }, answer: { go: "step", step: "promote" } },
  { why: "the target's secret is lost", but: { kept: [1] }, answer: { go: "plan", plan: { name: "back" } } },
  { why: "the vendor refuses the target", but: verdict("refused"), answer: { go: "plan", plan: { name: "back" } } },
  { why: "the target may not work", but: verdict("limited"), answer: { go: "again", problem: { code: "limited" } } },
  { why: "the first consumer uses another value", but: consumers(OTHER, PROVEN), answer: { go: "step", step: "validate" } },
  { why: "the last consumer uses another value", but: consumers(PROVEN, OTHER), answer: { go: "step", step: "validate" } },
  { why: "the vendor refuses the target behind a consumer", but: consumers(PROVEN, REFUSED), answer: { go: "step", step: "validate" } },
  {
    why: "a consumer only answers, and the vendor saw nobody use the target",
    but: { ...consumers(PROVEN, ANSWERED), usedAt: { old: NOW - 4000, target: 0 } },
    answer: { go: "again", problem: { code: "unproven" } },
  },
  {
    why: "a consumer is believed, and the old key is still in use",
    but: { consumers: [{ proof: ANSWERED, acceptAnswered: true }], usedAt: { old: NOW - 50, target: 0 } },
    answer: { go: "again", problem: { code: "notIdle" } },
  },
  {
    why: "the vendor saw the target, and the old key is still in use",
    but: { consumers: [{ proof: ANSWERED }], usedAt: { old: NOW - 50, target: NOW - 50 } },
    answer: { go: "again", problem: { code: "notIdle" } },
  },
  {
    why: "a consumer is believed, and the listing does not tell whether the old key is in use",
    but: { consumers: [{ proof: ANSWERED, acceptAnswered: true }], usedAt: undefined },
    answer: { go: "again", problem: { code: "unproven", hint: expect.stringContaining("does not tell when a key was last used") } },
  },
  { why: "a run from before the reload is left", but: runs([], ["agent:main:a"]), answer: { go: "again", problem: { code: "runsLeft" } } },
  { why: "it cannot be told yet which runs are old", but: runs("tooEarly", []), answer: { go: "again", at: NOW + 20 } },
  {
    why: "another credential uses the key",
    but: { others: [key(7, { credential: "second" })] },
    answer: { go: "again", problem: { code: "sharedKey" }, keys: [{ id: 1, set: { leftAt: NOW } }] },
  },
  {
    why: "another credential has it as a debt, and has not left it yet",
    but: { others: [key(7, { credential: "second", stage: "retiring" })] },
    answer: { go: "again", problem: { code: "sharedKey" } },
  },
];

const NEVER_SERVED = key(1, { stage: "retiring", promotedAt: null });

describe("the gate", () => {
  test.each(["revoke", "disable"] as const)("lets a %s through when all is well, and announces it first", async (kind) => {
    const { context, calls } = memoryContext(scene());
    expect(await throughGate(context, kind, context.debts[0] ?? key(0))).toEqual({ passed: true });
    expect(calls).toEqual([`announce ${kind}`, `${kind} key_1`]);
  });

  test.each(CLOSED)("is closed: $why", async ({ but, answer }) => {
    for (const kind of ["revoke", "disable"] as const) {
      const { context, calls } = memoryContext(scene(but));
      expect(await throughGate(context, kind, context.debts[0] ?? key(0))).toMatchObject({ passed: false, answer });
      expect(calls, "nothing left the process").toEqual([]);
    }
  });

  test("another credential's debt whose own gate has passed is not in the way, and neither is a dead one", async () => {
    const others = [key(7, { credential: "second", stage: "retiring", leftAt: NOW - 1 }), key(8, { credential: "third", stage: "dead" })];
    const { context, calls } = memoryContext(scene({ others }));
    expect(await throughGate(context, "revoke", context.debts[0] ?? key(0))).toEqual({ passed: true });
    expect(calls).toContain("revoke key_1");
  });

  test("a key that never was announced to anybody needs no proof of consumers", async () => {
    const { context, calls } = memoryContext(scene({ old: NEVER_SERVED, ...consumers(OTHER, OTHER), ...verdict("refused") }));
    expect(await throughGate(context, "revoke", NEVER_SERVED)).toEqual({ passed: true });
    expect(calls).toEqual(["announce revoke", "revoke key_1"]);
  });

  test.each([
    { why: "the store holds it", but: { stored: 1 }, answer: { go: "stuck", problem: { code: "gate" } } },
    { why: "a mirror holds it", but: { mirrors: [2, 1] }, answer: { go: "stuck", problem: { code: "gate" } } },
    { why: "a call is open", but: { openUntil: NOW + 700 }, answer: { go: "again" } },
    { why: "another credential uses it", but: { others: [key(7, { credential: "second" })] }, answer: { go: "again" } },
  ])("but is kept while $why", async ({ but, answer }) => {
    const { context, calls } = memoryContext(scene({ old: NEVER_SERVED, ...but }));
    expect(await throughGate(context, "revoke", NEVER_SERVED)).toMatchObject({ passed: false, answer });
    expect(calls).toEqual([]);
  });
});

describe("disable", () => {
  test("has nothing to do where the vendor cannot", async () => {
    const { context, calls } = memoryContext(scene({ canDisable: false }));
    expect(await disable(context)).toMatchObject({ go: "next" });
    expect(calls).toEqual([]);
  });

  test("switches the old key off through the gate, and remembers it", async () => {
    const { context, calls } = memoryContext(scene());
    expect(await disable(context)).toMatchObject({ go: "again", memo: { off: [1] }, events: [{ code: "keyDisabled" }] });
    expect(calls).toEqual(["announce disable", "disable key_1"]);
  });

  test("a 404 to a switch-off is no proof while the key is listed, and is once it is not", async () => {
    const unknown = { setEnabled: () => Promise.reject(new AdapterError("notFound", "not there")), revoke: async () => {} };
    const { context } = memoryContext(scene());
    const listing = { ...context, irreversible: () => unknown };
    await expect(disable(listing)).rejects.toMatchObject({ code: "inconclusive", retry: true });
    const plug = context.issuer(key(1));
    const gone = { ...plug, provider: { ...plug.provider, list: async () => [] } };
    const missing = { ...listing, issuer: () => ({ ...gone, lastUsed: undefined as never }) };
    expect(await disable(missing)).toMatchObject({ events: [{ code: "keyDisabled" }] });
  });

  test("goes on when every consumer is fine without it", async () => {
    const { context, calls } = memoryContext(scene({ memo: { off: [1] }, old: key(1, { stage: "retiring", disabledAt: NOW }) }));
    expect(await disable(context)).toMatchObject({ go: "next" });
    expect(calls).toEqual([]);
  });

  test("one consumer that is not fine: it is switched on again and seen to work, then validate decides", async () => {
    const off = key(1, { stage: "retiring", disabledAt: NOW });
    const failing = { ...consumers(PROVEN, REFUSED), old: off };
    const first = memoryContext(scene({ ...failing, memo: { off: [1] } }));
    expect(await disable(first.context)).toMatchObject({ go: "again", memo: { off: [1], failed: true }, problem: { code: "refused" } });
    expect(first.calls).toEqual([]);

    const second = memoryContext(scene({ ...failing, memo: { off: [1], failed: true } }));
    expect(await disable(second.context)).toMatchObject({ go: "again", keys: [{ id: 1, set: { disabledAt: null } }] });
    expect(second.calls).toEqual(["announce enable", "enable key_1"]);

    const third = memoryContext(scene({ ...failing, old: key(1, { stage: "retiring" }), memo: { off: [1], failed: true } }));
    expect(await disable(third.context)).toMatchObject({ go: "step", step: "validate" });
    expect(third.calls).toEqual([]);
  });

  test("one that somebody deleted while it was off is settled, and validate decides; one that is listed is not gone", async () => {
    const off = key(1, { stage: "retiring", disabledAt: NOW });
    const { context } = memoryContext(scene({ old: off, memo: { off: [1], failed: true } }));
    const setEnabled = () => Promise.reject(new AdapterError("notFound", "no such key"));
    const deleted: StepContext = { ...context, irreversible: () => ({ revoke: async () => {}, setEnabled }) };
    await expect(disable(deleted)).rejects.toMatchObject({ code: "inconclusive" });
    const plug = { ...context.provider, provider: { ...context.provider.provider, list: async () => [] } };
    expect(await disable({ ...deleted, issuer: () => plug })).toMatchObject({
      go: "again",
      keys: [{ id: 1, set: { revokeAnnouncedAt: NOW, revokedAt: NOW } }],
      events: [{ code: "keySettled" }],
    });
    const settled = { ...off, revokeAnnouncedAt: NOW, revokedAt: NOW };
    expect(await disable({ ...context, debts: [settled] })).toMatchObject({ go: "step", step: "validate" });
  });

  test("a key that does not work again yet is asked again, stays off in the ledger, and a person learns of it", async () => {
    const off = key(1, { stage: "retiring", disabledAt: NOW });
    const verdicts = { "sk-canary-1": "refused", "sk-canary-2": "accepted" } as const;
    const { context } = memoryContext(scene({ old: off, verdicts, memo: { off: [1], failed: true } }));
    const answer = await disable(context);
    expect(answer).toMatchObject({ go: "again", at: NOW + 50, problem: { code: "refused" } });
    expect(answer.keys ?? []).toEqual([]);
  });

  test.each([
    ["the target's secret is lost", { kept: [1] }],
    ["the vendor refuses the target", verdict("refused")],
  ])("while all are on, the gate's own answer counts: %s, which validate would not see", async (_, but) => {
    const { context, calls } = memoryContext(scene(but));
    expect(await disable(context)).toMatchObject({ go: "plan", plan: { name: "back" } });
    expect(calls).toEqual([]);
  });
});

function verdict(of: "refused" | "limited"): Partial<Scene> {
  return { verdicts: { "sk-canary-1": "accepted", "sk-canary-2": of } };
}

function consumers(...proofs: readonly Scene["consumers"][number]["proof"][]): Partial<Scene> {
  return { consumers: proofs.map((proof) => ({ proof, runs: [] })) };
}

function runs(...each: readonly (readonly string[] | "tooEarly")[]): Partial<Scene> {
  return { consumers: each.map((left) => ({ proof: PROVEN, runs: left })) };
}
