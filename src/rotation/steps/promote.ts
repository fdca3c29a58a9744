import type { Key } from "../../model.ts";
import type { Answer, StepContext } from "../context.ts";
import { awaitOpenCalls, secretOf, storeHolds } from "../observe.ts";
import { retreat } from "../way-back.ts";

/** Makes the target the store's current value, over whatever version of ours, or nothing, is there. */
export async function promote(context: StepContext): Promise<Answer> {
  const { target } = context;
  if (target === undefined) return { go: "step", step: "create", why: "there is no key to promote" };
  const waiting = awaitOpenCalls(context);
  if (waiting !== undefined) return waiting;

  const holds = await storeHolds(context);
  if (holds.what === "foreign") {
    const text = `the store holds a value that is not ours: somebody wrote it since this rotation began`;
    const hint = `put the value of ${context.old?.vendorId ?? "the last known key"} back, or say rotatectl abandon and then adopt`;
    return { go: "stuck", at: context.clock.now() + (context.timing.waitsMs.at(-1) ?? 0), problem: { code: "foreign", text, hint } };
  }
  if (holds.what === "ours" && holds.key.id === target.id) return promoted(context, target);

  if ((await secretOf(context, target)) === undefined) {
    return retreat(context, "lost", {
      code: "secretLost",
      text: `the secret of ${target.vendorId} is not in the store's keep`,
      hint: "another key is made",
    });
  }
  const over = holds.what === "ours" ? holds.key.version : undefined;
  await context.announce({ kind: "promote", key: target });
  await context.call((signal) => context.store.promote(target.version, over, signal));

  const seen = await storeHolds(context);
  if (seen.what === "ours" && seen.key.id === target.id) return promoted(context, target);
  return {
    go: "again",
    at: context.clock.now(),
    problem: { code: "notHeld", text: "the store does not show the value that was just written", hint: "somebody else writes there, too" },
  };
}

function promoted(context: StepContext, target: Key): Answer {
  const others = context.keys.filter((key) => key.stage === "current" && key.id !== target.id);
  return {
    go: "next",
    keys: [
      ...others.map(({ id }) => ({ id, set: { stage: "retiring" } as const })),
      { id: target.id, set: { stage: "current", promotedAt: target.promotedAt ?? context.clock.now() } },
    ],
    events: [{ code: "keyPromoted", detail: { keyId: target.vendorId, over: others[0]?.vendorId ?? null } }],
  };
}
