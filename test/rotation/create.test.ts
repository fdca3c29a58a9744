import { describe, expect, test } from "vitest";
import { AdapterError } from "../../src/contract/errors.ts";
import type { CreateRequest, VendorKey } from "../../src/contract/provider.ts";
import { Secret } from "../../src/contract/secret.ts";
import type { Intent } from "../../src/model.ts";
import type { StepContext } from "../../src/rotation/context.ts";
import { settleIntents } from "../../src/rotation/settle.ts";
import { create } from "../../src/rotation/steps/create.ts";
import { memoryContext, NOW, scene } from "./memory-context.ts";

const LABEL = "rotated-test-label";
const OURS = "sk-canary-made-by-us";
const THEIRS = "sk-canary-made-by-the-vendor";
const ROW: VendorKey = { id: "key_9", label: LABEL, createdAt: new Date(NOW), enabled: true };
const INTENT: Intent = {
  label: LABEL,
  credential: "main",
  provider: "openai",
  rotation: 1,
  announcedAt: NOW,
  known: null,
  refused: false,
  closedAt: null,
};

interface Outside {
  readonly ownSecret?: boolean;
  readonly recovers?: boolean;
  readonly stageFails?: AdapterError;
  /** How many calls of the store fail so; all of them where it is left out. */
  readonly stageFailures?: number;
  readonly createFails?: AdapterError;
  readonly listed?: readonly VendorKey[];
  readonly intents?: readonly Intent[];
  /** Another credential's create call may be answered so much later. */
  readonly othersMs?: number;
  /** The vendor keeps no labels, and the account is ours alone. */
  readonly exclusive?: boolean;
}

/** A rotation that is about to make its key, at a vendor with the given habits. `calls` is all that left, in order. */
function about(outside: Outside) {
  const { context, calls } = memoryContext(scene({ target: undefined, kept: [1] }));
  const kept = new Map<string, Secret>();
  const asked: CreateRequest[] = [];
  const provider = {
    ...context.provider.provider,
    list: async () => outside.listed ?? [],
    async create(request: CreateRequest) {
      calls.push("create");
      asked.push(request);
      if (outside.createFails !== undefined) throw outside.createFails;
      return { ...ROW, secret: request.secret ?? new Secret(THEIRS) };
    },
    ...(outside.recovers && {
      async recover(id: string) {
        calls.push(`recover ${id}`);
        return new Secret(THEIRS);
      },
    }),
  };
  const issuer = { ...context.provider, provider, ...(outside.exclusive && { unlabelled: { exclusive: true } }) };
  const here: StepContext = {
    ...context,
    openIntents: () => outside.intents ?? [],
    provider: issuer,
    issuer: () => issuer,
    othersCreateUntil: () => (outside.othersMs === undefined ? undefined : NOW + outside.othersMs),
    newSecret: () => (outside.ownSecret ? new Secret(OURS) : undefined),
    store: {
      ...context.store,
      async read(which) {
        return which === "current" ? undefined : kept.get(which.version);
      },
      async stage(version, secret) {
        calls.push(`stage ${version}`);
        const failures = calls.filter((call) => call.startsWith("stage")).length;
        if (outside.stageFails !== undefined && failures <= (outside.stageFailures ?? Number.POSITIVE_INFINITY)) throw outside.stageFails;
        kept.set(version, secret);
      },
    },
  };
  return { context: here, calls, kept, asked };
}

describe("a vendor that takes our secret", () => {
  test("the secret is kept before the vendor learns it, and after the intent is on disk", async () => {
    const { context, calls, kept, asked } = about({ ownSecret: true });
    expect(await create(context)).toMatchObject({ go: "next", closeIntents: [LABEL], newKey: { vendorId: "key_9", asTarget: true } });
    expect(calls).toEqual(["announce create", `stage ${LABEL}`, "create"]);
    expect(asked[0]?.secret?.equals(kept.get(LABEL) ?? new Secret(""))).toBe(true);
  });

  test.each(["unavailable", "timeout", "denied"] as const)(
    "a store that cannot keep it (%s): nothing is created, and the intent is known as refused",
    async (code) => {
      const { context, calls } = about({ ownSecret: true, stageFails: new AdapterError(code, "store: keep: made to fail") });
      expect(await create(context)).toMatchObject({ go: "again", refusedIntents: [LABEL], problem: { code } });
      expect(calls).toEqual(["announce create", `stage ${LABEL}`]);
    },
  );

  test("a lost reply leaves the call open: the step fails without an answer of its own", async () => {
    const { context } = about({ ownSecret: true, createFails: new AdapterError("unavailable", "made to fail") });
    await expect(create(context)).rejects.toMatchObject({ code: "unavailable" });
  });

  test("after a crash the key under the label serves with the secret that was kept", async () => {
    const { context, kept, calls } = about({ ownSecret: true, listed: [ROW], intents: [INTENT] });
    kept.set(LABEL, new Secret(OURS));
    expect(await settleIntents(context, true)).toMatchObject({
      newKey: { vendorId: "key_9", asTarget: true, stage: "pending", fingerprint: `of ${OURS}` },
      closeIntents: [LABEL],
    });
    expect(calls).toEqual([]);
  });
});

describe("a vendor that makes the secret", () => {
  const away = new AdapterError("unavailable", "store: keep: made to fail");

  test("a store that is away for a moment does not cost the key that was just made", async () => {
    const { context, calls, kept } = about({ stageFails: away, stageFailures: 2 });
    expect(await create(context)).toMatchObject({ go: "next", newKey: { vendorId: "key_9" } });
    expect(calls).toEqual(["announce create", "create", `stage ${LABEL}`, `stage ${LABEL}`, `stage ${LABEL}`]);
    expect(kept.get(LABEL)?.reveal()).toBe(THEIRS);
  });

  test("nor does it wait for the whole day that the store wishes to be left alone", async () => {
    const throttled = new AdapterError("rateLimited", "store: keep: made to fail", { retryAfterMs: 86_400_000 });
    const { context } = about({ stageFails: throttled, stageFailures: 1 });
    const slept: number[] = [];
    const clock = { ...context.clock, sleep: async (ms: number) => void slept.push(ms) };
    expect(await create({ ...context, clock })).toMatchObject({ go: "next" });
    expect(slept).toEqual([context.timing.waitsMs.at(-1)]);
  });

  test("one that stays away, or refuses, leaves the call open: the key is found by its label, and made dead", async () => {
    await expect(create(about({ stageFails: away }).context)).rejects.toMatchObject({ code: "unavailable" });
    const { context, calls } = about({ stageFails: new AdapterError("denied", "store: keep: made to fail") });
    await expect(create(context)).rejects.toMatchObject({ code: "denied" });
    expect(calls).toEqual(["announce create", "create", `stage ${LABEL}`]);
  });
});

describe("a vendor that gives a secret back", () => {
  test("a key whose secret was lost in a crash is recovered, kept, and serves", async () => {
    const { context, kept, calls } = about({ recovers: true, listed: [ROW], intents: [INTENT] });
    expect(await settleIntents(context, true)).toMatchObject({ newKey: { asTarget: true, stage: "pending", fingerprint: `of ${THEIRS}` } });
    expect(calls).toEqual(["recover key_9", `stage ${LABEL}`]);
    expect(kept.get(LABEL)?.reveal()).toBe(THEIRS);
  });

  test("nothing is recovered for a key that is only to be made dead", async () => {
    const { context, calls } = about({ recovers: true, listed: [ROW], intents: [INTENT] });
    expect(await settleIntents(context, false)).toMatchObject({ newKey: { asTarget: false, stage: "retiring", fingerprint: null } });
    expect(calls).toEqual([]);
  });
});

test("where the vendor neither takes nor gives back a secret, a lost one makes the key a debt", async () => {
  const { context, calls } = about({ listed: [ROW], intents: [INTENT] });
  expect(await settleIntents(context, true)).toMatchObject({ newKey: { asTarget: false, stage: "retiring", fingerprint: null } });
  expect(calls).toEqual([]);
});

describe("a vendor without labels, in an account that is ours alone", () => {
  const outside = { exclusive: true, listed: [{ ...ROW, label: "" }], intents: [{ ...INTENT, known: ["key_1"] }] };

  test("the one key that appeared is known as ours", async () => {
    expect(await settleIntents(about(outside).context, true)).toMatchObject({ newKey: { vendorId: "key_9", stage: "retiring" } });
  });

  test("not while another credential's call may be making just this one: its answer is awaited", async () => {
    const answer = await settleIntents(about({ ...outside, othersMs: 5 }).context, true);
    expect(answer).toMatchObject({ go: "again", at: NOW + 5 });
    expect(answer).not.toHaveProperty("newKey");
    expect(answer).not.toHaveProperty("closeIntents");
  });
});

test("a credential that has another provider by now: the key of a lost call is found where it was made, and is a debt", async () => {
  const { context, kept } = about({ listed: [ROW], intents: [INTENT] });
  kept.set(LABEL, new Secret(THEIRS));
  const moved = { ...context.provider, name: "newer", provider: { ...context.provider.provider, list: async () => [] } };
  expect(await settleIntents({ ...context, provider: moved }, true)).toMatchObject({
    newKey: { provider: "openai", vendorId: "key_9", asTarget: false, stage: "retiring" },
    closeIntents: [LABEL],
  });
});

test("an absent key is looked for again after whole milliseconds, as the ledger stores them", async () => {
  const { context } = about({ listed: [], intents: [INTENT] });
  const odd = { ...context, issuer: () => ({ ...context.provider, listLagMs: 30_001 }) };
  const answer = await settleIntents(odd, true);
  expect(answer).toMatchObject({ go: "again", at: NOW + 7501 });
});
