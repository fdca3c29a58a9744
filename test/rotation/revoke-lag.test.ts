import { describe, expect, it } from "vitest";
import type { Verdict } from "../../src/contract/provider.ts";
import type { Key } from "../../src/model.ts";
import type { StepContext } from "../../src/rotation/context.ts";
import { confirm } from "../../src/rotation/steps/confirm.ts";
import { disable } from "../../src/rotation/steps/disable.ts";
import { key, memoryContext, NOW, scene } from "./memory-context.ts";

const LAG_MS = 60_000;
const CONFIRM = { times: 3, apartMs: 5000, limitMs: 7_200_000 };

/** How a vendor answers about the revoked key, by milliseconds since the revoke. */
type Answers = (afterMs: number) => Verdict;

interface Setting {
  readonly revokeLagMs: number;
  readonly confirm?: Partial<typeof CONFIRM>;
  /** The key's secret was lost: only its absence from the listings can be seen. */
  readonly secretLost?: boolean;
}

/** Runs `confirm` on a clock of its own until the key counts as dead; when that is, and when the vendor was asked before. */
async function confirmed(answers: Answers, { revokeLagMs, confirm: timing, secretLost = false }: Setting) {
  const { context: base } = memoryContext(scene({ kept: secretLost ? [2] : [1, 2] }));
  const debt: Key = key(1, { stage: "retiring", revokedAt: NOW });
  const asked: number[] = [];
  let now = NOW;
  let memo: Readonly<Record<string, unknown>> = {};
  const plug = {
    ...base.issuer(debt),
    revokeLagMs,
    listLagMs: 0,
    provider: {
      ...base.provider.provider,
      list: async () => [],
      async verify(secret: { reveal(): string }): Promise<Verdict> {
        if (secret.reveal() !== "sk-canary-1") return "accepted";
        asked.push(now - NOW);
        return answers(now - NOW);
      },
    },
  };
  for (let turn = 0; turn < 1000; turn++) {
    const context: StepContext = {
      ...base,
      debts: [debt],
      clock: { ...base.clock, now: () => now },
      timing: { ...base.timing, confirm: { ...CONFIRM, ...timing } },
      rotation: { ...base.rotation, step: "confirm", stepSince: NOW, memo },
      issuer: () => plug,
    };
    const answer = await confirm(context);
    if (answer.keys?.some(({ set }) => set.stage === "dead")) return { deadAfterMs: now - NOW, asked };
    if (answer.go !== "again") throw new Error(`the step went ${answer.go}`);
    now = answer.at;
    memo = answer.memo ?? memo;
  }
  throw new Error("never called dead");
}

const refused: Answers = () => "refused";

describe("a vendor that knows at once", () => {
  it("is believed after three refusals", async () => {
    expect(await confirmed(refused, { revokeLagMs: 0 })).toMatchObject({ asked: [0, 5000, 10_000], deadAfterMs: 15_000 });
  });
});

describe("a vendor of two replicas, one of which knows a revoked key for 60 s longer", () => {
  it("is not believed while only the one that forgot it was asked", async () => {
    const { asked } = await confirmed(refused, { revokeLagMs: LAG_MS });
    expect(asked).toEqual([0, 30_000, 60_000]);
  });

  // Whatever the load balancer does: each pattern says which questions reach the replica that still knows the key.
  it.each([
    ["every second question", (n: number) => n % 2 === 1],
    ["the first questions", (n: number) => n < 3],
    ["the fourth question", (n: number) => n === 3],
    ["no question but one just before the end", (n: number, afterMs: number) => n > 0 && afterMs > LAG_MS - 10_000],
  ])("is never called dead too early: %s", async (_, reachesTheLate) => {
    let questions = 0;
    const late = (afterMs: number) => afterMs < LAG_MS && reachesTheLate(questions++, afterMs);
    const { deadAfterMs, asked } = await confirmed((afterMs) => (late(afterMs) ? "accepted" : "refused"), { revokeLagMs: LAG_MS });
    expect(deadAfterMs).toBeGreaterThanOrEqual(LAG_MS);
    expect(asked.at(-1)).toBeGreaterThanOrEqual(LAG_MS);
  });

  it("is asked again after the lag, also where one refusal is enough", async () => {
    const { asked } = await confirmed(refused, { revokeLagMs: LAG_MS, confirm: { times: 1 } });
    expect(asked).toEqual([0, LAG_MS]);
  });

  it("is asked as far apart as the timing wants, where that is more", async () => {
    const { asked } = await confirmed(refused, { revokeLagMs: LAG_MS, confirm: { apartMs: 45_000 } });
    expect(asked).toEqual([0, 45_000, 90_000]);
  });

  it("is asked at whole milliseconds, which is what the ledger keeps", async () => {
    const { asked } = await confirmed(refused, { revokeLagMs: LAG_MS, confirm: { times: 8 } });
    expect(asked.every(Number.isInteger)).toBe(true);
    expect(asked).toHaveLength(8);
  });

  it("is given its lag also where the secret is lost", async () => {
    expect((await confirmed(refused, { revokeLagMs: LAG_MS, secretLost: true })).deadAfterMs).toBeGreaterThanOrEqual(LAG_MS);
  });
});

describe("a key that was switched off", () => {
  it.each([
    [0, { go: "next" }],
    [LAG_MS, { go: "again", at: NOW + LAG_MS }],
  ])("is looked after again once %i ms have passed, in which a part of the vendor may not have noticed", async (revokeLagMs, answer) => {
    const old = key(1, { stage: "retiring", disabledAt: NOW });
    const { context } = memoryContext(scene({ old, memo: { off: [old.id] } }));
    const plug = { ...context.provider, revokeLagMs };
    expect(await disable({ ...context, issuer: () => plug })).toMatchObject(answer);
    const later = { ...context.clock, now: () => NOW + revokeLagMs };
    expect(await disable({ ...context, issuer: () => plug, clock: later })).toMatchObject({ go: "next" });
  });
});
