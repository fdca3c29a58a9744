import type { VendorKey } from "../contract/provider.ts";
import type { Secret } from "../contract/secret.ts";
import type { Intent } from "../model.ts";
import type { NewKey } from "../state/keys.ts";
import type { Answer, StepContext } from "./context.ts";
import { ledgerKey } from "./ledger-key.ts";
import { again, storeHolds } from "./observe.ts";
import { tellSlots } from "./slots.ts";

/**
 * Brings the oldest open intent to its end; `undefined` when none is open.
 *
 * The key that its call made goes into the ledger: as the target when it is `wanted` and its secret was staged, or is
 * given back by the vendor, else as a debt. It stands at the vendor under the intent's label; where the vendor keeps none, it
 * is the one that was not there before, if the account is ours alone. An absent one closes the intent, but only once the
 * vendor's listing can no longer lag behind the moment at which the create call could last take effect.
 */
export async function settleIntents(present: StepContext, wanted: boolean): Promise<Answer | undefined> {
  const intent = present.openIntents()[0];
  if (intent === undefined) return undefined;
  // The credential may have another provider by now: the key is looked for where the call went, and is of no use but there.
  const context = { ...present, provider: present.issuer(intent) };
  const usable = wanted && present.provider.name === intent.provider;
  const { provider, listLagMs } = context.provider;

  const listed = await context.call((signal) => provider.list(signal));
  const candidates = listed.filter((key) => couldBeOf(context, intent, key));
  const [found] = candidates;
  if (found !== undefined) {
    if (intent.known !== null) {
      // Another credential's call may be making just this key: its answer is awaited before anything is said of it.
      const until = context.othersCreateUntil(intent.provider);
      const now = context.clock.now();
      if (until !== undefined) return { ...again(context, Math.max(1, Math.min(until - now, context.timing.pollMs))), aftermath: true };
    }
    const doubt = whyInDoubt(context, intent, candidates) ?? (await whyNotIdle(context, listed));
    return doubt === undefined ? takeIn(context, intent, found, usable) : showToPerson(context, intent, candidates, doubt);
  }

  const call = context.createCall(intent.label);
  const settledAt = call?.answeredAt ?? call?.openUntil ?? intent.announcedAt;
  const now = context.clock.now();
  if (now < settledAt + listLagMs) {
    const waitMs = Math.min(settledAt + listLagMs - now, Math.max(context.timing.pollMs, Math.ceil(listLagMs / 4)));
    return { ...again(context, Math.max(1, waitMs)), aftermath: true };
  }
  await context.call((signal) => context.store.discard(intent.label, signal));
  return {
    ...again(context, 0),
    aftermath: true,
    closeIntents: [intent.label],
    events: [{ code: "intentClosed", detail: { label: intent.label } }],
  };
}

function couldBeOf(context: StepContext, intent: Intent, { id, label }: VendorKey): boolean {
  if (intent.known === null) return label === intent.label;
  return !intent.known.includes(id) && !context.isInLedger({ provider: intent.provider, vendorId: id });
}

function whyInDoubt({ provider }: StepContext, { known, label }: Intent, candidates: readonly VendorKey[]): string | undefined {
  if (known === null)
    return candidates.length === 1 ? undefined : `${candidates.length} keys are called ${label}, and only one can be ours`;
  const ids = candidates.map(({ id }) => id).join(", ");
  if (provider.unlabelled?.exclusive !== true) return `${ids} may come from a create call without an answer, or be somebody else's`;
  return candidates.length === 1 ? undefined : `${ids} appeared since a create call without an answer, and only one can be ours`;
}

/** A create call regenerates the idle slot only: where the key that serves is gone, the other change may be a stranger's, too. */
async function whyNotIdle(context: StepContext, listed: readonly VendorKey[]): Promise<string | undefined> {
  if (context.plan.supply !== "dual-slot") return undefined;
  const slots = tellSlots({ name: context.provider.name, credential: context.credential.name }, await storeHolds(context), listed);
  return "code" in slots ? "somebody else regenerated a slot since a create call without an answer" : undefined;
}

/** What is not proven ours is never changed: a person deletes it, or says `retry` with it still there, which leaves it alone. */
async function showToPerson(context: StepContext, intent: Intent, candidates: readonly VendorKey[], text: string): Promise<Answer> {
  const { memo } = context.rotation;
  const ids = candidates.map(({ id }) => id);
  const shown = Array.isArray(memo["shown"]) ? memo["shown"] : [];
  if (intent.known !== null && memo["saidRetry"] === true && ids.every((id) => shown.includes(id))) {
    await context.call((signal) => context.store.discard(intent.label, signal));
    const detail = { label: intent.label, keyIds: ids.join(", ") };
    return { ...again(context, 0, {}), closeIntents: [intent.label], events: [{ code: "leftoverLeft", detail }] };
  }
  const hint =
    context.plan.supply === "dual-slot"
      ? "put the key that shall serve into the store, then: rotatectl abandon, and rotatectl adopt"
      : intent.known === null
        ? "delete those at the vendor that nobody uses, then: rotatectl retry"
        : "delete at the vendor what nobody uses, then: rotatectl retry; what is still there then is left alone";
  return {
    go: "stuck",
    problem: { code: "ambiguousLabel", text: `${context.provider.name}: ${text}`, hint },
    rotation: { memo: { ...memo, shown: ids, saidRetry: false } },
  };
}

async function takeIn(context: StepContext, intent: Intent, found: VendorKey, wanted: boolean): Promise<Answer> {
  const room = wanted && context.target === undefined;
  const staged =
    (await context.call((signal) => context.store.read({ version: intent.label }, signal))) ??
    (room ? await recover(context, intent, found) : undefined);
  const serves = room && staged !== undefined;
  const key: NewKey = {
    ...ledgerKey(context, found, intent.label),
    fingerprint: staged === undefined ? null : context.fingerprint(staged),
    stage: serves ? "pending" : "retiring",
  };
  return {
    ...again(context, 0),
    newKey: { ...key, asTarget: serves },
    closeIntents: [intent.label],
    events: [{ code: "keyFound", detail: { keyId: found.id, label: intent.label, secretKept: staged !== undefined, serves } }],
  };
}

/** The secret of a key that was made and not kept, where the vendor gives it back: kept now, so that the key can serve. */
async function recover(context: StepContext, intent: Intent, found: VendorKey): Promise<Secret | undefined> {
  const ask = context.provider.provider.recover?.bind(context.provider.provider);
  if (ask === undefined) return undefined;
  const secret = await context.call((signal) => ask(found.id, signal));
  await context.call((signal) => context.store.stage(intent.label, secret, signal));
  return secret;
}
