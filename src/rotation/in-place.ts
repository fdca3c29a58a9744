import type { Secret } from "../contract/secret.ts";
import type { Key, Supply } from "../model.ts";
import type { EventDraft } from "../state/events.ts";
import type { Problem, StepContext, Writes } from "./context.ts";
import { askVendor, secretOf } from "./observe.ts";

/** Where a vendor knows one value at a time, the reload that brings the new one revokes the old one: no gate can stand before it. */
export const RELOAD_REVOKES: Readonly<Record<Supply, boolean>> = {
  create: false,
  intake: false,
  "dual-slot": false,
  "in-place": true,
};

/**
 * When the value before the target was last seen to serve: the moment right before it was tried, which is right before a write
 * or a reload ends it. `undefined` when it does not serve any more: a restart or a crash may have come first.
 */
export async function seenServing(context: StepContext): Promise<number | undefined> {
  const before = [context.old, ...context.debts].find(
    (key) => key !== undefined && key.id !== context.target?.id && key.promotedAt !== null,
  );
  // Who tries a wrong one pays for it: only what the vendor calls live is tried.
  if (before === undefined || !(await isLive(context, before))) return undefined;
  const secret = await secretOf(context, before);
  const now = context.clock.now();
  return secret !== undefined && (await askVendor(context, before, secret)) === "accepted" ? now : undefined;
}

/** For how long, at most, neither the old value nor the target was accepted; none where a write did not make the target live. */
export async function gapSince(
  context: StepContext,
  target: Key,
  secret: Secret,
  servedAt: number | undefined,
): Promise<readonly EventDraft[]> {
  if (servedAt === undefined || !(await isLive(context, target))) return [];
  return (await askVendor(context, target, secret)) === "accepted" ? [gap(context, servedAt)] : [];
}

const gap = ({ clock }: StepContext, servedAt: number): EventDraft => ({
  code: "gapMeasured",
  detail: { atMostMs: clock.now() - servedAt },
});

async function isLive({ call, provider }: StepContext, key: Key): Promise<boolean> {
  return (await call((signal) => provider.provider.list(signal))).some(({ id }) => id === key.vendorId);
}

/**
 * Once the target is accepted, every other value is gone: the debts count as revoked. A problem when it is not accepted although
 * the consumers hold it.
 */
export async function supersede(
  context: StepContext,
  target: Key,
  secret: Secret,
  servedAt: number | undefined,
): Promise<Required<Pick<Writes, "keys" | "events">> | Problem> {
  const { name } = context.provider;
  if ((await askVendor(context, target, secret)) !== "accepted") {
    const text = `${name}: ${target.vendorId} is loaded, and not accepted`;
    return { code: "contradicted", text, hint: `look at ${name} itself: what does it ask of those who come with it?` };
  }
  const now = context.clock.now();
  const gone = context.debts.filter((debt) => debt.revokedAt === null);
  return {
    keys: gone.map(({ id }) => ({ id, set: { revokeAnnouncedAt: now, revokedAt: now } })),
    events: [
      ...gone.map(({ vendorId }) => ({ code: "keySuperseded" as const, detail: { keyId: vendorId, by: target.vendorId } })),
      ...(servedAt === undefined ? [] : [gap(context, servedAt)]),
    ],
  };
}
