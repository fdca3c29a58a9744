import { AdapterError } from "../../contract/errors.ts";
import type { Finding } from "../../contract/finding.ts";
import type { VendorKey } from "../../contract/provider.ts";
import type { Secret } from "../../contract/secret.ts";
import type { Key } from "../../model.ts";
import type { KeyPatch } from "../../state/keys.ts";
import type { Answer, ConsumerPlug, Problem, StepContext } from "../context.ts";
import { RELOAD_REVOKES } from "../in-place.ts";
import { askVendor, asProblem, mirrorsHold, probed, type StoreHolds, secretOf, storeHolds } from "../observe.ts";
import { CAN_BEGIN, pinPlan, ROUTINE } from "../plans.ts";
import { slotFindings } from "../slots.ts";

/** Finds facts before the first side effect; what would make the rotation fail or prove nothing ends it here. */
export async function preflight(context: StepContext): Promise<Answer> {
  try {
    return await look(context);
  } catch (error) {
    const problem = asProblem(error);
    const { preflightUntil } = context.plan;
    const mayWait = preflightUntil === null || context.clock.now() < preflightUntil;
    if (mayWait && error instanceof AdapterError && error.retry) throw error;
    return { go: "end", outcome: "failed", problem };
  }
}

async function look(context: StepContext): Promise<Answer> {
  await context.call((signal) => context.store.preflight(signal));
  const holds = await storeHolds(context);
  if (holds.what === "foreign") {
    const name = context.credential.name;
    return {
      go: "end",
      outcome: "failed",
      problem: {
        code: "foreign",
        text: `the store of ${name} holds a value that rotated neither wrote nor adopted`,
        hint: `bring it under management with: rotatectl adopt ${name}`,
      },
    };
  }

  if (holds.what === "nothing" && !CAN_BEGIN[context.plan.supply]) {
    const { name } = context.credential;
    const text = `the store of ${name} is empty, and ${context.provider.name} has a key already`;
    const hint = `put the key that is in use into the store, then: rotatectl adopt ${name}`;
    return { go: "end", outcome: "failed", problem: { code: "nothingToReplace", text, hint } };
  }

  const strange = await lookAtMirrors(context);
  if (strange !== undefined) return { go: "end", outcome: "failed", problem: strange };

  const { provider } = context.provider;
  const findings: Finding[] = [...((await context.call(async (signal) => provider.preflight?.(signal))) ?? [])];
  const listed = await context.call((signal) => provider.list(signal));
  const gone = holds.what === "ours" && (await askVendor(context, holds.key, holds.secret)) === "refused";
  if (context.plan.supply === "dual-slot") findings.push(...slotFindings(context, holds, listed, gone));
  else if (holds.what === "ours" && !gone && !listed.some(({ id }) => id === holds.key.vendorId))
    findings.push(...unlisted(context, holds.key));
  findings.push(...noPlace(context, listed), ...(gone ? elsewhere(context, listed) : []));
  // A consumer cannot show anything with a key that is dead.
  const current = holds.what === "ours" && !gone ? holds.secret : undefined;
  for (const plug of context.consumers) findings.push(...(await lookAt(context, plug, current)));
  if (findings.length > 0) {
    const problem = {
      code: findings[0]?.code ?? "preflight",
      text: findings.map(({ message }) => message).join("; "),
      hint: findings.map(({ cure }) => cure).join("; "),
    };
    return { go: "end", outcome: "failed", problem };
  }

  const reconciled = reconcile(context, holds);
  if (holds.what !== "ours") return { go: "next", ...reconciled };
  return onward(context, holds.key, reconciled, gone);
}

/** A mirror must take a write, and hold nothing but what it got from us: one that is behind or empty is brought along by promote. */
async function lookAtMirrors(context: StepContext): Promise<Problem | undefined> {
  for (const { mirror } of context.mirrors) await context.call((signal) => mirror.preflight(signal));
  const strange = (await mirrorsHold(context)).find(({ holds }) => holds.what === "foreign");
  if (strange === undefined) return undefined;
  return {
    code: "foreign",
    text: `mirror ${strange.plug.name} holds a value that rotated neither wrote nor adopted`,
    hint: "empty it, or put the store's value there: the rotation then brings it along",
  };
}

/** Every place is taken by keys that are not ours to remove: a create call could only fail. */
function noPlace({ provider, plan, keys }: StepContext, listed: readonly VendorKey[]): readonly Finding[] {
  const { places } = provider;
  if (places === undefined || plan.supply !== "create") return [];
  const ours = keys.filter(({ stage }) => stage === "retiring" || stage === "pending").map(({ vendorId }) => vendorId);
  if (listed.filter(({ id }) => !ours.includes(id)).length < places) return [];
  const message = `${provider.name}: the vendor allows ${places} keys, and has ${listed.map(({ id }) => id).join(", ")}`;
  return [{ code: "noPlace", message, cure: "delete one that nobody uses, or give each credential an account of its own" }];
}

/** Where one value at a time is known and it is none of ours, the vendor has it from another place than the store. */
function elsewhere({ provider, plan, keys, credential }: StepContext, listed: readonly VendorKey[]): readonly Finding[] {
  if (!RELOAD_REVOKES[plan.supply] || listed.some(({ id }) => keys.some(({ vendorId }) => vendorId === id))) return [];
  const message = `${provider.name}: what is in use is another value than the store's, and none that rotated made or adopted`;
  return [
    { code: "otherValue", message, cure: `let it be read from the store of ${credential.name}, or write it there, then: rotatectl adopt` },
  ];
}

/** A key that works and is not listed could never be seen dead. A young one may only lag behind. */
function unlisted({ provider, clock, plan }: StepContext, key: Key): readonly Finding[] {
  // A value in place has no list to stand in: the consumer that accepts it is all there is.
  if (RELOAD_REVOKES[plan.supply]) return [];
  if (clock.now() < key.createdAt + provider.listLagMs) return [];
  const message = `${provider.name}: the vendor accepts ${key.vendorId}, but does not list it`;
  return [{ code: "unlisted", message, cure: "is it of the project, and of the account, that the provider's settings name?" }];
}

/**
 * What stands in a consumer's way. One that holds an older key of ours is only behind, because a rotation was abandoned
 * before its reload: the reload of this one brings it along.
 */
async function lookAt(context: StepContext, { consumer }: ConsumerPlug, current: Secret | undefined): Promise<readonly Finding[]> {
  const ask = (secret: Secret | undefined) => context.call((signal) => consumer.preflight(secret, signal), context.timing.proveTimeoutMs);
  let findings = await ask(current);
  if (findings.length === 0 || current === undefined) return findings;
  if (findings.some(({ byReload }) => byReload)) {
    // Its source was away when it looked, as while rotated itself was down. That must not stop a rotation a month later.
    await context.call((signal) => consumer.reload(current, signal), context.timing.proveTimeoutMs);
    findings = await ask(current);
    if (findings.length === 0) return findings;
  }
  for (const older of context.keys.filter((key) => key.promotedAt !== null)) {
    const secret = await secretOf(context, older);
    if (secret !== undefined && !secret.equals(current) && (await ask(secret)).length === 0) return [];
  }
  return findings;
}

/** An old key that is dead already is a settled debt: nothing to drain, nothing to switch off, and no way back. */
function onward(context: StepContext, serving: Key, reconciled: Reconciled, gone: boolean): Answer {
  const writes = {
    keys: [...reconciled.keys, probed(context, serving)],
    events: [...reconciled.events, ...(gone ? [{ code: "keySettled", detail: { keyId: serving.vendorId } } as const] : [])],
    // Of a revoked one that came back it says nothing about the key that served.
    rotation: { ...reconciled.rotation, forwardOnly: gone && reconciled.rotation.old !== undefined },
  };
  if (context.plan.name !== "initial") return { go: "next", ...writes };
  // A store that holds a key of ours is not empty: its consumers need the care of a routine rotation.
  const plan = pinPlan(ROUTINE[context.plan.supply], context.plan);
  const detail = { plan: plan.name, why: "notEmpty", text: "the store holds a key of ours" };
  return { ...writes, go: "plan", plan, step: "create", events: [...writes.events, { code: "planChanged", detail }] };
}

interface Reconciled {
  readonly keys: readonly { readonly id: number; readonly set: KeyPatch }[];
  readonly events: readonly { readonly code: "keyReconciled"; readonly detail: Readonly<Record<string, unknown>> }[];
  readonly rotation: { readonly old?: number };
}

/** Settles what earlier rotations left: the key of ours that the store holds is the current one, pending ones are debts. */
function reconcile(context: StepContext, holds: StoreHolds): Reconciled {
  // A store that was restored may hold a key that was revoked since: nothing makes that one current again.
  const serving = holds.what === "ours" && holds.key.revokeAnnouncedAt === null ? holds.key : undefined;
  const keys: { id: number; set: KeyPatch }[] = [];
  for (const key of context.keys) {
    if (key.id === serving?.id) continue;
    if (key.stage === "pending" || (key.stage === "current" && serving !== undefined))
      keys.push({ id: key.id, set: { stage: "retiring" } });
  }
  if (serving === undefined) return { keys, events: [], rotation: {} };
  if (serving.stage === "current") return { keys, events: [], rotation: { old: serving.id } };
  keys.push({ id: serving.id, set: { stage: "current", promotedAt: serving.promotedAt ?? context.clock.now(), leftAt: null } });
  return {
    keys,
    events: [{ code: "keyReconciled", detail: { keyId: serving.vendorId, was: serving.stage } }],
    rotation: { old: serving.id },
  };
}
