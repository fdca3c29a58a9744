import { hasCode } from "../../contract/errors.ts";
import type { Key } from "../../model.ts";
import type { Answer, StepContext } from "../context.ts";
import { enableAgain } from "../gate.ts";
import { again, awaitOpenCalls, secretOf } from "../observe.ts";
import { pinPlan } from "../plans.ts";
import { waitForPerson } from "./person.ts";

/**
 * Takes the oldest key that a person brought, and that can serve, as the target. Nothing but the ledger changes: once a key
 * is drawn, nobody switches it off any more, and only then is it switched on. Where there is none, the vendor makes one
 * where it can; else a person is asked.
 */
export async function drawFromPool(context: StepContext): Promise<Answer> {
  const halves: Key[] = [];
  for (const key of context.keys.filter(({ stage }) => stage === "pooled")) {
    const unfit = await whyUnfit(context, key);
    if (unfit !== undefined)
      return { ...again(context, 0), keys: [{ id: key.id, set: { stage: "retiring" } }], events: [dropped(key, unfit)] };
    if ((await secretOf(context, key)) === undefined) halves.push(key);
    else return draw(context, key);
  }
  return context.provider.supply === "create" ? makeInstead(context) : waitForPerson(context, halves);
}

/** Switches the target on that was drawn, where it is off. It may take the vendor a while to accept it: `verify` waits for that. */
export async function switchOn(context: StepContext, target: Key): Promise<Answer> {
  if (target.disabledAt === null) return { go: "next" };
  const waiting = awaitOpenCalls(context);
  if (waiting !== undefined) return waiting;
  try {
    await enableAgain(context, target);
  } catch (error) {
    if (!hasCode(error, "notFound")) throw error;
    const keys = [{ id: target.id, set: { stage: "retiring" } as const }];
    return { ...again(context, 0), keys, rotation: { target: null }, events: [dropped(target, "it is gone at the vendor")] };
  }
  const events = [{ code: "keyEnabled", detail: { keyId: target.vendorId } }] as const;
  return { go: "next", keys: [{ id: target.id, set: { disabledAt: null } }], events };
}

function draw(context: StepContext, key: Key): Answer {
  return {
    ...again(context, 0, {}),
    keys: [{ id: key.id, set: { stage: "pending" } }],
    rotation: { target: key.id, attempts: 0, troubleSince: null, lastCode: null, lastError: null },
    events: [{ code: "keyDrawn", detail: { keyId: key.vendorId } }],
  };
}

const dropped = ({ vendorId }: Key, why: string) => ({ code: "keyUnfit", detail: { keyId: vendorId, why } }) as const;

/**
 * Why a key of the pool can serve no more; `undefined` while it can. What the ledger does not say of it, the vendor's
 * list does: while it waited, somebody may have deleted it there, or switched it off.
 */
async function whyUnfit(context: StepContext, key: Key): Promise<string | undefined> {
  if (key.provider !== context.provider.name) return `it is of provider ${key.provider}, and the credential of ${context.provider.name}`;
  const { provider, listLagMs } = context.issuer(key);
  const now = context.clock.now();
  const row = (await context.call((signal) => provider.list(signal))).find(({ id }) => id === key.vendorId);
  if (row === undefined) return now < key.createdAt + listLagMs ? undefined : "the vendor lists it no more";
  if ((row.expiresAt?.getTime() ?? key.expiresAt ?? Number.POSITIVE_INFINITY) <= now) return "it has expired";
  return !row.enabled && key.disabledAt === null ? "it was switched off at the vendor, and not by us" : undefined;
}

/** A vendor that makes keys needs nobody: the pool was only ahead of it. */
function makeInstead(context: StepContext): Answer {
  const { plan } = context;
  const name = plan.name === "initial" ? "initial" : "routine";
  return {
    go: "plan",
    plan: pinPlan(name, { ...plan, supply: "create" }),
    step: "create",
    events: [{ code: "planChanged", detail: { plan: name, why: "poolEmpty", text: "no key of the pool can serve" } }],
  };
}
