import type { Clock } from "../contract/world.ts";
import type { CallEnd, Observe, ObservedCall } from "../observed.ts";
import { type User, userText } from "./users.ts";

/** Knows every call of a plug that is under way, for as long as this process lives: also those of a configuration that was replaced. */
export interface Calls {
  readonly observe: Observe;
  /** The calls of these plugs that began at `at` or before and have not ended, for people. */
  begunBy(at: Date, users: readonly User[]): readonly string[];
}

/** `told` gets every call when it has ended. */
export function watchCalls(clock: Pick<Clock, "now">, told: (call: ObservedCall & CallEnd) => void): Calls {
  const underWay = new Set<{ readonly call: ObservedCall; readonly since: number }>();
  return {
    observe(call) {
      const entry = { call, since: clock.now() };
      underWay.add(entry);
      return (end) => {
        underWay.delete(entry);
        told({ ...call, ...end });
      };
    },
    begunBy(at, users) {
      const wanted = new Set(users.map(userText));
      return [...underWay].flatMap(({ call, since }) => {
        const user = userText(ownerOf(call));
        return since <= at.getTime() && wanted.has(user) ? [`${user}: ${call.method} since ${new Date(since).toISOString()}`] : [];
      });
    },
  };
}

/** A mirror is a store that is used otherwise. */
function ownerOf({ provider, store, mirror, consumer }: ObservedCall): User {
  if (provider !== undefined) return { kind: "provider", name: provider };
  if (consumer !== undefined) return { kind: "consumer", name: consumer };
  return { kind: "store", name: store ?? mirror ?? "" };
}
