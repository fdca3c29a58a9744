import { AsyncLocalStorage } from "node:async_hooks";
import type { Secret } from "../contract/secret.ts";

/** What plugs were given for `{ store: NAME }`, by the name. */
const given = new AsyncLocalStorage<Map<string, Secret>>();

/** Notes, for the call that is under way, what was found behind a reference. */
export function noteGiven(credential: string, secret: Secret): void {
  given.getStore()?.set(credential, secret);
}

/** What a call of a plug was given for the credential, and how it failed. */
export interface Asked {
  /** `undefined` when the plug did not ask: it goes by something that it made of the value before, or needed none. */
  readonly value: Secret | undefined;
  readonly failure: unknown;
}

/** Runs one call of a plug, and tells which value of the credential it went by. */
export async function whatItAsked(credential: string, call: () => Promise<unknown>): Promise<Asked> {
  const values = new Map<string, Secret>();
  const failure = await given.run(values, call).then(
    () => undefined,
    (error: unknown) => error,
  );
  return { value: values.get(credential), failure };
}
