import { describe, expect, test } from "vitest";
import type { VendorKey } from "../../src/contract/provider.ts";
import { Secret } from "../../src/contract/secret.ts";
import type { Key } from "../../src/model.ts";
import type { StepContext } from "../../src/rotation/context.ts";
import { throughSlotGate } from "../../src/rotation/gate.ts";
import { slotFindings, tellSlots } from "../../src/rotation/slots.ts";
import { ANSWERED, key, memoryContext, NOW, PROVEN, type Scene, scene } from "./memory-context.ts";

const OTHER = { result: "contradicted", cause: "it has another value", cure: "reload it" } as const;
const REFUSED = { result: "refused", cause: "the vendor refused it", cure: "look at it" } as const;
const vendorKey = (id: string): VendorKey => ({ id, label: "", createdAt: new Date(NOW), enabled: true });

const SERVING = key(1, { stage: "current" });
const IDLE = vendorKey("idle");

interface Outside {
  readonly exclusive?: boolean;
  /** The ledger's row of what stands in the idle slot. */
  readonly idle?: Key;
}

/** A rotation that is about to regenerate the idle slot, while key 1 serves. `calls` lists what left. */
function about(but: Partial<Scene>, { exclusive = true, idle }: Outside = {}) {
  const { context, calls } = memoryContext(scene({ old: SERVING, target: undefined, stored: 1, kept: [1], ...but }));
  const here: StepContext = {
    ...context,
    keys: idle === undefined ? [SERVING] : [SERVING, idle],
    provider: { ...context.provider, unlabelled: { exclusive } },
  };
  const slots = { serving: SERVING, secret: new Secret("sk-canary-1"), idle: IDLE };
  const ask = () =>
    throughSlotGate(here, slots, {
      async regenerate() {
        calls.push("regenerate");
        return { go: "next" };
      },
      async behind() {
        calls.push("behind");
        return { go: "again", at: NOW };
      },
    });
  return { ask, calls };
}

/** All is well but for one thing; each row closes the gate by itself. */
const CLOSED: readonly { readonly why: string; readonly but?: Partial<Scene>; readonly outside?: Outside; readonly answer: object }[] = [
  { why: "a call is open", but: { openUntil: NOW + 700 }, answer: { go: "again", at: NOW + 700 } },
  { why: "the store holds another value", but: { stored: 9 }, answer: { go: "stuck", problem: { code: "gate" } } },
  { why: "the store holds nothing", but: { stored: undefined }, answer: { go: "stuck", problem: { code: "gate" } } },
  { why: "a mirror holds another value", but: { mirrors: [1, 9] }, answer: { go: "stuck", problem: { code: "gate" } } },
  { why: "a mirror holds nothing", but: { mirrors: [undefined] }, answer: { go: "stuck", problem: { code: "gate" } } },
  { why: "the vendor refuses what serves", but: verdict("refused"), answer: { go: "stuck", problem: { code: "gate" } } },
  { why: "what serves may not work", but: verdict("limited"), answer: { go: "stuck", problem: { code: "gate" } } },
  { why: "the vendor refuses it behind a consumer", but: consumers(PROVEN, REFUSED), answer: { go: "plan", plan: { name: "discard" } } },
  { why: "another credential uses what stands there", but: { others: [key(7)] }, answer: { go: "again", problem: { code: "sharedKey" } } },
  {
    why: "another credential has a debt there",
    but: { others: [key(7, { stage: "retiring" })] },
    answer: { go: "again", problem: { code: "sharedKey" } },
  },
  {
    why: "a stranger's value, and others may use the account",
    outside: { exclusive: false },
    answer: { go: "stuck", problem: { code: "gate" } },
  },
  ...(["current", "pending", "pooled"] as const).map((stage) => ({
    why: `what stands there is ${stage}`,
    outside: { idle: key(5, { vendorId: "idle", stage }) },
    answer: { go: "stuck", problem: { code: "gate" } },
  })),
];

function verdict(of: "refused" | "limited"): Partial<Scene> {
  return { verdicts: { "sk-canary-1": of } };
}

function consumers(...proofs: Scene["consumers"][number]["proof"][]): Partial<Scene> {
  return { consumers: proofs.map((proof) => ({ proof, runs: [] })) };
}

describe("the gate before a slot is regenerated", () => {
  test("lets the call through when all is well", async () => {
    const { ask, calls } = about({});
    expect(await ask()).toEqual({ go: "next" });
    expect(calls).toEqual(["regenerate"]);
  });

  test("lets it through for a debt of ours where others may use the account", async () => {
    const { ask, calls } = about({}, { exclusive: false, idle: key(5, { vendorId: "idle", stage: "retiring" }) });
    await ask();
    expect(calls).toEqual(["regenerate"]);
  });

  test.each(CLOSED)("is closed: $why", async ({ but = {}, outside, answer }) => {
    const { ask, calls } = about(but, outside);
    expect(await ask()).toMatchObject(answer);
    expect(calls).toEqual([]);
  });

  test("a consumer that uses another value is brought along first", async () => {
    const { ask, calls } = about(consumers(PROVEN, OTHER));
    await ask();
    expect(calls).toEqual(["behind"]);
  });

  test("a request that succeeded is no evidence where the vendor never saw the key used", async () => {
    const { ask, calls } = about({ ...consumers(ANSWERED), usedAt: { old: 0, target: 0 } });
    expect(await ask()).toMatchObject({ go: "again", problem: { code: "unproven" } });
    expect(calls).toEqual([]);
  });
});

describe("telling the slots apart", () => {
  const of = { name: "azure", credential: "main" };
  const ours = { what: "ours", key: SERVING, secret: new Secret("sk-canary-1") } as const;
  const both = [vendorKey("key_1"), IDLE];

  test.each([[both], [both.toReversed()]])("the store says which one serves", (listed) => {
    expect(tellSlots(of, ours, listed)).toMatchObject({ serving: SERVING, idle: IDLE });
  });

  test.each([
    ["neither holds what the store holds", ours, [IDLE, vendorKey("else")]],
    ["one is missing", ours, [vendorKey("key_1")]],
    ["there is a third", ours, [...both, vendorKey("third")]],
    ["the store is empty", { what: "nothing" } as const, both],
    ["the store holds a stranger's value", { what: "foreign", secret: new Secret("sk-canary-9") } as const, both],
  ])("not where %s", (_, holds, listed) => {
    expect(tellSlots(of, holds, listed)).toMatchObject({ code: "noSlot", hint: expect.stringContaining("rotatectl adopt main") });
  });

  test.each([
    ["nothing, where all is well", both, false, [], []],
    ["a slot that somebody regenerated", [IDLE, vendorKey("else")], true, [], ["noSlot"]],
    ["a key of another account", [IDLE, vendorKey("else")], false, [], ["unlisted"]],
    ["the address of another account", both, true, [], ["refused"]],
    ["another credential in the idle slot", both, false, [key(7)], ["sharedKey"]],
    ["but not one that is dead there", both, false, [key(7, { stage: "dead" })], []],
  ])("preflight finds %s", (_, listed, refused, others, codes) => {
    const { context } = memoryContext(scene({ old: SERVING, target: undefined, others }));
    expect(slotFindings(context, ours, listed, refused).map(({ code }) => code)).toEqual(codes);
  });
});
