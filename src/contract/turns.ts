/** The end of the work that is under way or waiting, by the document that it changes. */
const ends = new Map<string, Promise<unknown>>();

/**
 * Does `work` when all earlier work of this process on the same document has ended: two credentials may share one.
 * After an abort it rejects at once; work that has begun then ends by itself, before the next on this document.
 */
export async function inTurn<T>(document: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  const before = ends.get(document) ?? Promise.resolve();
  const turn = before.then(() => {
    signal.throwIfAborted();
    return work();
  });
  const end = turn.catch(() => undefined);
  ends.set(document, end);
  void end.then(() => ends.get(document) === end && ends.delete(document));
  return orAbort(turn, signal);
}

/** `operation`, or the signal's reason when that comes first. */
export async function orAbort<T>(operation: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) abort();
  try {
    return await Promise.race([promise, operation]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
