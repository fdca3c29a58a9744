import type { Secret } from "../../contract/secret.ts";
import type { Key } from "../../model.ts";
import type { Answer, StepContext } from "../context.ts";
import { again, askVendor, probed, secretOf } from "../observe.ts";
import { settleIntents } from "../settle.ts";

/** What it has seen of one debt so far. */
interface Seen {
  readonly count: number;
  readonly firstAt: number;
  readonly lastAt: number;
}

/** Proves each debt dead, then drops its secret from the keep. A limit that runs out is loud. */
export async function confirm(context: StepContext): Promise<Answer> {
  const debt = context.debts[0];
  if (debt === undefined) return (await settleIntents(context, false)) ?? { go: "next" };
  if (debt.revokedAt === null) {
    // Where one value at a time is known, the reload is what revokes.
    const step = context.plan.steps.includes("revoke") ? "revoke" : "reload";
    return { go: "step", step, why: `${debt.vendorId} was not revoked yet` };
  }

  const seen = seenOf(context, debt);
  const next = (seen?.lastAt ?? 0) + context.timing.confirm.apartMs;
  if (isDead(context, debt, seen)) return bury(context, debt, seen);
  // Whoever wakes it early, with `retry` for one, brings no two looks closer together.
  if (context.clock.now() < next) return { go: "again", at: next };
  const secret = await secretOf(context, debt);
  return secret === undefined || context.target === undefined
    ? countAbsence(context, debt, seen)
    : countRefusal(context, debt, secret, seen);
}

/** Refused, on a new connection, while the same round accepts the successor. Anything else starts the count anew. */
async function countRefusal(context: StepContext, debt: Key, secret: Secret, seen: Seen | undefined): Promise<Answer> {
  const { target } = context;
  const successor = target === undefined ? undefined : await secretOf(context, target);
  if (target === undefined || successor === undefined) return countAbsence(context, debt, seen);
  const verdict = await askVendor(context, debt, secret);
  const serves = (await askVendor(context, target, successor)) === "accepted";
  const keys = [probed(context, debt), probed(context, target)];
  const now = context.clock.now();
  if (verdict === "refused" && serves)
    return { ...again(context, gapOver(context, context.issuer(debt).revokeLagMs), remember(context, debt, seen, now)), keys };
  if (verdict !== "refused") return { ...startOver(context, debt, `the vendor still knows ${debt.vendorId}`), keys };
  const why = `the vendor does not accept ${target.vendorId}, so the refusal of ${debt.vendorId} proves nothing`;
  const look = `look at ${target.vendorId}, its quota and its billing at the vendor`;
  return { ...startOver(context, debt, why, look), keys };
}

/** For a secret that nobody holds: absent from the listings, for longer than they lag. */
async function countAbsence(context: StepContext, debt: Key, seen: Seen | undefined): Promise<Answer> {
  const { provider, listLagMs } = context.issuer(debt);
  const listed = (await context.call((signal) => provider.list(signal))).some(({ id }) => id === debt.vendorId);
  if (listed) return startOver(context, debt, `the vendor still lists ${debt.vendorId}`);
  return again(context, gapOver(context, listLagMs), remember(context, debt, seen, context.clock.now()));
}

/** The wait between two looks, so that all that must agree are spread over the vendor's lag. */
function gapOver({ timing }: StepContext, lagMs: number): number {
  const { apartMs, times } = timing.confirm;
  return Math.max(apartMs, Math.ceil(lagMs / Math.max(1, times - 1)));
}

/** Its place in the keep goes first: after a crash in between, its absence from the listings is asked instead. */
async function bury(context: StepContext, debt: Key, seen: Seen): Promise<Answer> {
  await context.call((signal) => context.store.discard(debt.version, signal));
  const now = context.clock.now();
  const timeToDeadMs = seen.firstAt - (debt.revokedAt ?? seen.firstAt);
  return {
    ...again(context, 0, {}),
    keys: [{ id: debt.id, set: { stage: "dead", deadAt: now } }],
    events: [{ code: "keyDead", detail: { keyId: debt.vendorId, refusals: seen.count, overMs: seen.lastAt - seen.firstAt, timeToDeadMs } }],
  };
}

/** The count begins anew; a limit that has run out makes the rotation stuck. */
function startOver(context: StepContext, debt: Key, text: string, cure?: string): Answer {
  const { rotation, timing, clock } = context;
  const { [debt.version]: _, ...memo } = rotation.memo;
  if (clock.now() < rotation.stepSince + timing.confirm.limitMs) return again(context, timing.confirm.apartMs, memo);
  const what = context.plan.supply === "dual-slot" ? "regenerate" : "delete";
  const hint = `${cure ?? `${what} it in the vendor's console`}, then: rotatectl retry`;
  return { go: "stuck", problem: { code: "notDead", text, hint }, rotation: { memo } };
}

/** Often enough in a row, and the last time when no part of the vendor can still know the key. */
function isDead(context: StepContext, debt: Key, seen: Seen | undefined): seen is Seen {
  const { provider, revokeLagMs } = context.issuer(debt);
  const times = Math.min(context.timing.confirm.times, provider.refusalsToDead ?? Number.POSITIVE_INFINITY);
  return seen !== undefined && seen.count >= times && seen.lastAt >= (debt.revokedAt ?? 0) + revokeLagMs;
}

/** Nothing where the clock went back meanwhile: how far apart they lie is not known then. */
function seenOf(context: StepContext, debt: Key): Seen | undefined {
  const seen = context.rotation.memo[debt.version] as Seen | undefined;
  return seen !== undefined && seen.lastAt <= context.clock.now() ? seen : undefined;
}

function remember(context: StepContext, debt: Key, seen: Seen | undefined, now: number): Readonly<Record<string, unknown>> {
  const next: Seen = { count: (seen?.count ?? 0) + 1, firstAt: seen?.firstAt ?? now, lastAt: now };
  return { ...context.rotation.memo, [debt.version]: next };
}
