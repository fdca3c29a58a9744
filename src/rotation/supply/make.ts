import { AdapterError } from "../../contract/errors.ts";
import type { CreatedKey, VendorKey } from "../../contract/provider.ts";
import type { Secret } from "../../contract/secret.ts";
import type { Key } from "../../model.ts";
import type { Answer, StepContext } from "../context.ts";
import { throughGate } from "../gate.ts";
import { ledgerKey } from "../ledger-key.ts";
import { again, asProblem } from "../observe.ts";
import { longestWait, waitBefore } from "../retry.ts";
import { retreat } from "../way-back.ts";

/** Create calls that one rotation may make before a person must look. */
const MOST_INTENTS = 3;
/** How often a store is asked again to keep the secret of a key that was just made. */
const MOST_STAGES = 4;

/** Makes the target by a call of the vendor: one journalled intent, one call, and the secret staged at once. */
export async function makeKey(context: StepContext): Promise<Answer> {
  return makeKeyLike(context, await listKeys(context), context.old);
}

/** The vendor's keys, and when it was asked for them. */
export interface Listing {
  readonly keys: readonly VendorKey[];
  readonly listedAt: number;
}

export async function listKeys(context: StepContext): Promise<Listing> {
  const listedAt = context.clock.now();
  return { listedAt, keys: await context.call((signal) => context.provider.provider.list(signal)) };
}

/** The same, with the vendor's keys as they were listed just now, and the one that the new key is to be like. */
export async function makeKeyLike(context: StepContext, { keys: listed, listedAt }: Listing, model: Key | undefined): Promise<Answer> {
  if (context.rotation.intents >= MOST_INTENTS) {
    const text = `${MOST_INTENTS} create calls brought no key that can serve`;
    return {
      go: "stuck",
      problem: { code: "noIntentLeft", text, hint: "look at the vendor's console and rotatectl history, then: rotatectl retry or abandon" },
    };
  }

  // A key whose secret cannot be kept is a key lost: the store is asked once more right before.
  await context.call((signal) => context.store.preflight(signal));
  const { provider } = context.provider;
  const make = provider.create?.bind(provider);
  if (make === undefined) throw new Error(`${context.provider.name} creates no keys`);
  const like = listed.find(({ id }) => id === model?.vendorId);
  const label = context.newLabel();
  const secret = context.newSecret();
  const call = { kind: "create", label, listed: listed.map(({ id }) => id), listedAt, stagesFirst: secret !== undefined } as const;
  if (!(await context.announce(call))) return makeRoom(context);
  if (secret !== undefined) {
    // A secret of our own is kept before the vendor learns it: no crash can lose it.
    const failure = await stageFirst(context, label, secret);
    if (failure !== undefined) return failure;
  }
  let made: CreatedKey;
  try {
    made = await context.call((signal) => make({ label, ...(like && { like }), ...(secret && { secret }) }, signal));
  } catch (error) {
    return notMade(context, label, error);
  }
  if (secret === undefined) await stageMade(context, label, made.secret);
  return {
    go: "next",
    newKey: { ...ledgerKey(context, made, label), fingerprint: context.fingerprint(made.secret), stage: "pending", asTarget: true },
    closeIntents: [label],
    events: [{ code: "keyCreated", detail: { keyId: made.id, label, expiresAt: made.expiresAt?.toISOString() ?? null } }],
  };
}

/**
 * No place is free at the vendor. A debt that never served makes room at once; with another one the rotation ends, and the
 * way back makes it dead. Where others hold the places, it waits.
 */
async function makeRoom(context: StepContext): Promise<Answer> {
  const { name, places } = context.provider;
  const text = `${name}: all ${places} places for keys are taken`;
  const debt = context.debts.find((key) => key.revokedAt === null && key.promotedAt === null);
  if (debt !== undefined) {
    const through = await throughGate(context, "revoke", debt);
    if (!through.passed) return through.answer;
    const events = [{ code: "keyRevoked", detail: { keyId: debt.vendorId } }] as const;
    return { ...again(context, 0), keys: [{ id: debt.id, set: { revokedAt: context.clock.now() } }], events };
  }
  const hint = "delete a key at the vendor that nobody uses, or give each credential an account of its own";
  const problem = { code: "noPlace", text, hint };
  if (context.debts.some((key) => key.revokedAt === null)) return retreat(context, "impossible", problem);
  return { go: "again", at: context.clock.now() + waitBefore(context.rotation.attempts, context.timing, undefined), problem };
}

/** Keeps the only copy of a secret. A store that is away for a moment is no reason to lose it: it is asked again as the table says. */
async function stageMade({ call, clock, signal, store, timing }: StepContext, label: string, secret: Secret): Promise<void> {
  for (let failures = 0; ; failures += 1) {
    try {
      return await call((within) => store.stage(label, secret, within));
    } catch (error) {
      if (!(error instanceof AdapterError) || !error.retry || failures === MOST_STAGES) throw error;
      // However long the store wishes to be left alone: a restart would lose what only we have.
      await clock.sleep(Math.min(waitBefore(failures, timing, error), longestWait(timing)), signal);
    }
  }
}

/** What the step answers when the secret cannot be kept: the create call has not left and never will. */
async function stageFirst(context: StepContext, label: string, secret: Secret): Promise<Answer | undefined> {
  try {
    await context.call((signal) => context.store.stage(label, secret, signal));
    return undefined;
  } catch (error) {
    return later(context, label, error);
  }
}

/** A refusal that the vendor answered; without an answer nobody knows whether a key was made, and the call stays open. */
async function notMade(context: StepContext, label: string, error: unknown): Promise<Answer> {
  if (!(error instanceof AdapterError) || !error.answered) throw error;
  if (!error.retry) return { ...(await retreat(context, "impossible", asProblem(error))), refusedIntents: [label] };
  return later(context, label, error);
}

/** Tries again with another intent. As of every error, a person is told of a long wait before it, and not after. */
function later({ rotation, timing, clock }: StepContext, label: string, error: unknown): Answer {
  const waitMs = waitBefore(rotation.attempts, timing, error);
  const go = waitMs > timing.tellAfterMs ? "stuck" : "again";
  return { go, at: clock.now() + waitMs, problem: asProblem(error), refusedIntents: [label] };
}
