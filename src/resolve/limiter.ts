import type { Clock } from "../contract/world.ts";

/** A gateway asks a few times at each reload. More is a mistake, and would fill the log and tire the stores. */
const AT_ONCE = 50;
const PER_SECOND = 10;
/** Accounts that are remembered; those that were quiet for long are forgotten first. */
const MOST_ACCOUNTS = 1000;

/** Lets each account ask so often and no more: what one does takes nothing from another. */
export function makeLimiter(clock: Pick<Clock, "monotonic">) {
  const accounts = new Map<number, { readonly left: number; readonly at: number }>();
  return {
    allows(uid: number): boolean {
      const at = clock.monotonic();
      const before = accounts.get(uid) ?? { left: AT_ONCE, at };
      const left = Math.min(AT_ONCE, before.left + ((at - before.at) / 1000) * PER_SECOND);
      accounts.delete(uid);
      accounts.set(uid, { left: left < 1 ? left : left - 1, at });
      const [oldest] = accounts.keys();
      if (accounts.size > MOST_ACCOUNTS && oldest !== undefined) accounts.delete(oldest);
      return left >= 1;
    },
  };
}
