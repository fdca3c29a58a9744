import { AdapterError } from "../contract/errors.ts";
import type { Clock } from "../contract/world.ts";

/**
 * Runs `work` with a signal that aborts with `signal`, or after `ms`; the latter is `AdapterError` `timeout`, unless the work
 * has a better word. No timer stays behind: a rotation makes dozens of calls, and most answer long before their deadline.
 */
export async function withDeadline<T>(
  clock: Pick<Clock, "after">,
  ms: number,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const call = new AbortController();
  const stop = () => call.abort(signal.reason);
  const cancel = clock.after(ms, () => call.abort(new DOMException(`no answer within ${ms} ms`, "TimeoutError")));
  signal.addEventListener("abort", stop);
  try {
    if (signal.aborted) stop();
    return await work(call.signal);
  } catch (error) {
    if (signal.aborted || error instanceof AdapterError || !call.signal.aborted) throw error;
    throw new AdapterError("timeout", `no answer within ${ms} ms`, { cause: error });
  } finally {
    cancel();
    signal.removeEventListener("abort", stop);
  }
}
