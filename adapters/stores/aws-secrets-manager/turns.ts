const ends = new Map<string, Promise<unknown>>();

/** Does `work` when all earlier work of this process on the same secret has ended: two credentials may share one. */
export async function inTurn<T>(secret: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  const before = ends.get(secret) ?? Promise.resolve();
  const turn = before.then(() => {
    signal.throwIfAborted();
    return work();
  });
  const end = turn.catch(() => undefined);
  ends.set(secret, end);
  void end.then(() => ends.get(secret) === end && ends.delete(secret));
  return turn;
}
