import { AdapterError } from "./errors.ts";

/**
 * Makes a call that completes a key which the vendor has created a moment ago. Whatever that call answers, the key is there: no
 * code may say that nothing was created, so that each failure is `unavailable`.
 */
export async function afterCreate<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (!(error instanceof AdapterError)) throw error;
    throw new AdapterError("unavailable", `${error.message}; the new key stays unused`, {
      cause: error,
      cure: error.hint,
      ...(error.retryAfterMs !== undefined && { retryAfterMs: error.retryAfterMs }),
    });
  }
}
