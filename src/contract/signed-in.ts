import { hasCode } from "./errors.ts";
import type { Secret } from "./secret.ts";

/** Where a provider gets the tokens for its management calls. */
export interface SignIn {
  /** A token for the next call. `kept`: it is one from an earlier call, which may have been taken back since. */
  token(signal: AbortSignal): Promise<{ readonly value: Secret; readonly kept: boolean }>;
  /** Lets the next call sign in anew: this token was refused. */
  forget(): void;
}

/**
 * Makes a call with a token. Where a kept one is refused as `unauthorized`, signs in anew and makes the call once more: who is
 * not known has changed nothing, so that is safe for a create, too.
 */
export async function signedIn<Reply>(signIn: SignIn, signal: AbortSignal, call: (bearer: Secret) => Promise<Reply>): Promise<Reply> {
  const first = await signIn.token(signal);
  try {
    return await call(first.value);
  } catch (error) {
    if (!hasCode(error, "unauthorized")) throw error;
    signIn.forget();
    if (!first.kept) throw error;
  }
  const second = await signIn.token(signal);
  try {
    return await call(second.value);
  } catch (error) {
    if (hasCode(error, "unauthorized")) signIn.forget();
    throw error;
  }
}
