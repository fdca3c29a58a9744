import type { Secret } from "../../contract/secret.ts";
import type { Key } from "../../model.ts";
import type { EventDraft } from "../../state/events.ts";
import type { Answer, StepContext } from "../context.ts";
import { gapSince, RELOAD_REVOKES, seenServing } from "../in-place.ts";
import { awaitOpenCalls, is, mirrorsHold, secretOf, storeHolds } from "../observe.ts";
import { longestWait, waitBefore } from "../retry.ts";
import { retreat } from "../way-back.ts";

/** Makes the target the current value of the store and of every mirror, over whatever version of ours, or nothing, is there. */
export async function promote(context: StepContext): Promise<Answer> {
  const { target } = context;
  if (target === undefined) return { go: "step", step: "create", why: "there is no key to promote" };
  const waiting = awaitOpenCalls(context);
  if (waiting !== undefined) return waiting;

  const holds = await storeHolds(context);
  if (holds.what === "foreign") {
    const text = "the store holds a value that is not ours: somebody wrote it since this rotation began";
    const hint = `put the value of ${context.old?.vendorId ?? "the last known key"} back, or say rotatectl abandon and then adopt`;
    return { go: "stuck", at: context.clock.now() + longestWait(context.timing), problem: { code: "foreign", text, hint } };
  }
  if (is(holds, target)) {
    await finishWrite(context, target);
    return copyToMirrors(context, target, holds.secret);
  }

  if ((await secretOf(context, target)) === undefined) {
    return retreat(context, "lost", {
      code: "secretLost",
      text: `the secret of ${target.vendorId} is not in the store's keep`,
      hint: "another key is made",
    });
  }
  const over = holds.what === "ours" ? holds.key.version : undefined;
  // One that a restored store holds left the keep when it was dead: the store compares what it replaces with what is kept.
  const dead = holds.what === "ours" && holds.key.stage === "dead" ? holds : undefined;
  if (dead !== undefined) await context.call((signal) => context.store.stage(dead.key.version, dead.secret, signal));
  await context.announce({ kind: "promote", key: target });
  await context.call((signal) => context.store.promote(target.version, over, signal));
  if (dead !== undefined) await context.call((signal) => context.store.discard(dead.key.version, signal));

  const seen = await storeHolds(context);
  if (is(seen, target)) return copyToMirrors(context, target, seen.secret);
  return {
    go: "again",
    at: later(context),
    problem: { code: "notHeld", text: "the store does not show the value that was just written", hint: "somebody else writes there, too" },
  };
}

/** Whether an earlier try began to write this key, and did not get to its end; on a way back, whether it served before. */
const wasInterrupted = ({ stage, promotedAt }: Key): boolean => promotedAt !== null && stage !== "current";

/** A crash may have come between the write and what a place notes beside it: asked to write what it holds, it does the rest. */
async function finishWrite(context: StepContext, target: Key): Promise<void> {
  if (!wasInterrupted(target) || (await secretOf(context, target)) === undefined) return;
  await context.announce({ kind: "promote", key: target });
  await context.call((signal) => context.store.promote(target.version, undefined, signal));
}

/** Writes the target to every mirror that does not hold it, and reads it back. One that is down makes the step wait; nothing is undone. */
async function copyToMirrors(context: StepContext, target: Key, secret: Secret): Promise<Answer> {
  const events: EventDraft[] = [];
  for (const { plug, holds } of await mirrorsHold(context)) {
    const write = async (over: Secret | undefined) => {
      await context.announce({ kind: "promote", key: target });
      await context.call((signal) => plug.mirror.write(secret, over, signal));
    };
    if (is(holds, target)) {
      if (wasInterrupted(target)) await write(secret);
      continue;
    }
    if (holds.what === "foreign") return foreignMirror(context, plug.name);
    // Where one value at a time is known, this write may be what makes the new one live.
    const servedAt = RELOAD_REVOKES[context.plan.supply] ? await seenServing(context) : undefined;
    await write(holds.what === "ours" ? holds.secret : undefined);
    events.push(...(await gapSince(context, target, secret, servedAt)));
  }
  const behind = (await mirrorsHold(context)).find(({ holds }) => !is(holds, target));
  if (behind === undefined) return promoted(context, target, events);
  return {
    go: "again",
    at: later(context),
    problem: {
      code: "notHeld",
      text: `mirror ${behind.plug.name} does not show the value that was just written`,
      hint: "somebody else writes there, too",
    },
  };
}

/** What was written shows late, or somebody writes as often: each further try is a write, too. */
const later = ({ clock, rotation, timing }: StepContext): number => clock.now() + waitBefore(rotation.attempts, timing, undefined);

function foreignMirror(context: StepContext, name: string): Answer {
  const text = `mirror ${name} holds a value that is not ours`;
  const hint = `empty it or put the value of ${context.old?.vendorId ?? "the last known key"} back; it is tried again by itself`;
  return { go: "stuck", at: context.clock.now() + longestWait(context.timing), problem: { code: "foreign", text, hint } };
}

function promoted(context: StepContext, target: Key, events: readonly EventDraft[]): Answer {
  const others = context.keys.filter((key) => key.stage === "current" && key.id !== target.id);
  return {
    go: "next",
    keys: [
      ...others.map(({ id }) => ({ id, set: { stage: "retiring" } as const })),
      { id: target.id, set: { stage: "current", promotedAt: target.promotedAt ?? context.clock.now() } },
    ],
    events: [{ code: "keyPromoted", detail: { keyId: target.vendorId, over: others[0]?.vendorId ?? null } }, ...events],
  };
}
