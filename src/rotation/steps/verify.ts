import type { Answer, StepContext } from "../context.ts";
import { again, askVendor, probed, secretOf } from "../observe.ts";
import { retreat } from "../way-back.ts";

/** Asks the vendor directly whether the target can do its work, until it was accepted often enough in a row. */
export async function verify(context: StepContext): Promise<Answer> {
  const { target, timing, clock, rotation } = context;
  if (target === undefined) return { go: "step", step: "create", why: "there is no key to verify" };
  const secret = await secretOf(context, target);
  if (secret === undefined) {
    return retreat(context, "lost", {
      code: "secretLost",
      text: `the secret of ${target.vendorId} is not in the store's keep`,
      hint: "another key is made",
    });
  }

  const verdict = await askVendor(context, target, secret);
  const keys = [probed(context, target)];
  const now = clock.now();
  if (verdict !== "accepted") {
    // A new key can be refused for some time, until the vendor knows it everywhere.
    if (now < rotation.stepSince + timing.verify.deadlineMs) return { ...again(context, timing.pollMs, {}), keys };
    const text = verdict === "limited" ? "is known but may not do this" : "is refused";
    const problem = {
      code: verdict,
      text: `${context.provider.name}: the new key ${target.vendorId} ${text}`,
      hint: "look at its project, scopes and quota at the vendor",
    };
    const answer = await retreat(context, "refused", problem);
    return { ...answer, keys: [...keys, ...(answer.keys ?? [])] };
  }

  const { times, overMs } = timing.verify;
  // The clock may have gone back since the first.
  const firstAt = typeof rotation.memo["firstAt"] === "number" ? Math.min(rotation.memo["firstAt"], now) : now;
  const accepted = 1 + (typeof rotation.memo["accepted"] === "number" ? rotation.memo["accepted"] : 0);
  if (accepted < times || now - firstAt < overMs) {
    const gapMs = times > 1 ? Math.ceil(overMs / (times - 1)) : overMs;
    return { ...again(context, gapMs, { accepted, firstAt }), keys };
  }
  const events = [{ code: "keyVerified", detail: { keyId: target.vendorId, times: accepted, overMs: now - firstAt } }] as const;
  if (!context.plan.rehearsal) return { go: "next", keys, events };
  // Nothing is promoted in a rehearsal: the new key has done its work, and the old one goes on serving. A dead one cannot vouch for
  // the refusal of another: without it the listings are asked.
  const [probe] = keys;
  return {
    go: "next",
    keys: [{ id: target.id, set: { ...probe?.set, stage: "retiring" } }],
    rotation: { target: rotation.forwardOnly ? null : (context.old?.id ?? null) },
    events,
  };
}
