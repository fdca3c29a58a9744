import { type AdapterCode, AdapterError } from "../contract/errors.ts";
import type { Verdict } from "../contract/provider.ts";
import type { Secret } from "../contract/secret.ts";
import type { Key } from "../model.ts";
import type { Answer, CredentialContext, MirrorPlug, Problem } from "./context.ts";

/** What a place's current value is: nothing, a key of ours, or a stranger's. */
export type StoreHolds =
  | { readonly what: "nothing" }
  | { readonly what: "ours"; readonly key: Key; readonly secret: Secret }
  | { readonly what: "foreign"; readonly secret: Secret };

/** Reads the store's current value and finds the key in the ledger by its fingerprint. */
export async function storeHolds(context: CredentialContext): Promise<StoreHolds> {
  return held(context, await context.call((signal) => context.store.read("current", signal)));
}

/** The same of each mirror. */
export async function mirrorsHold(
  context: CredentialContext,
): Promise<readonly { readonly plug: MirrorPlug; readonly holds: StoreHolds }[]> {
  const seen: { plug: MirrorPlug; holds: StoreHolds }[] = [];
  for (const plug of context.mirrors) {
    seen.push({ plug, holds: held(context, await context.call((signal) => plug.mirror.read(signal))) });
  }
  return seen;
}

/** Whether what a place holds is this key. */
export function is(holds: StoreHolds, key: Key): holds is StoreHolds & { what: "ours" } {
  return holds.what === "ours" && holds.key.id === key.id;
}

/** Whether every mirror holds this key. */
export async function mirrorsShow(context: CredentialContext, key: Key): Promise<boolean> {
  return (await mirrorsHold(context)).every(({ holds }) => is(holds, key));
}

/** Whether the store and every mirror hold this key. */
export async function heldEverywhere(context: CredentialContext, key: Key): Promise<boolean> {
  return is(await storeHolds(context), key) && (await mirrorsShow(context, key));
}

/** Whether the store or any mirror holds this key. */
export async function heldSomewhere(context: CredentialContext, key: Key): Promise<boolean> {
  return is(await storeHolds(context), key) || (await mirrorsHold(context)).some(({ holds }) => is(holds, key));
}

function held(context: CredentialContext, secret: Secret | undefined): StoreHolds {
  if (secret === undefined) return { what: "nothing" };
  const key = context.keyWith(context.fingerprint(secret));
  return key === undefined ? { what: "foreign", secret } : { what: "ours", key, secret };
}

/** The secret of a key, out of the store's keep; `undefined` when it is lost. */
export function secretOf(context: CredentialContext, key: Key): Promise<Secret | undefined> {
  return context.call((signal) => context.store.read({ version: key.version }, signal));
}

/** Asks the vendor whether it accepts a key. The caller notes `probedAt`, so that our own probes are told from real use. */
export function askVendor(context: CredentialContext, key: Key, secret: Secret): Promise<Verdict> {
  return context.call((signal) => context.issuer(key).provider.verify(secret, signal));
}

/** Our own probe was made just now: what the ledger keeps of it. */
export function probed(context: CredentialContext, key: Key): { id: number; set: { probedAt: number } } {
  return { id: key.id, set: { probedAt: context.clock.now() } };
}

/** The same step again after `ms`, with nothing wrong. */
export function again(
  context: Pick<CredentialContext, "clock">,
  ms: number,
  memo?: Readonly<Record<string, unknown>>,
): Answer & { go: "again" } {
  return { go: "again", at: context.clock.now() + ms, ...(memo === undefined ? {} : { memo }) };
}

/** Waits until no announced call can take effect any more; `undefined` when none is open. */
export function awaitOpenCalls(context: CredentialContext): Answer | undefined {
  return context.openUntil === undefined ? undefined : { go: "again", at: context.openUntil, aftermath: true };
}

/** An {@link AdapterError} as a problem of a rotation; anything else is a bug and is thrown. */
export function asProblem(error: unknown): Problem & { readonly code: AdapterCode } {
  if (!(error instanceof AdapterError)) throw error;
  return { code: error.code, text: error.message, hint: error.hint };
}
