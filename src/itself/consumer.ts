import type { Consumer } from "../contract/consumer.ts";
import { AdapterError, hasCode } from "../contract/errors.ts";
import type { Finding } from "../contract/finding.ts";
import type { Secret } from "../contract/secret.ts";
import { type Asked, whatItAsked } from "./asked.ts";
import { type User, userText } from "./users.ts";

/** What people read where other consumers have a name of the configuration. */
export const ITSELF = "rotated itself";

/** What rotated must know of its own plugs to be a consumer of one credential. */
export interface OwnUse {
  readonly credential: string;
  /** The plugs that make their calls with it. */
  readonly users: readonly User[];
  /** What a reference to the credential resolves to now. */
  value(): Promise<Secret>;
  /** Makes one real call of a plug that changes nothing, in each place where it is used. */
  use(user: User, signal: AbortSignal): Promise<void>;
  /** Has the plug connected anew, so that nothing is left of what it made of an earlier value. */
  renew(user: User): void;
  /** The calls of the users that began at this time or before, and have not ended. */
  begunBy(at: Date): readonly string[];
}

/**
 * rotated as a consumer of a credential that its own plugs sign their calls with. It holds the value that those calls were
 * given, and proves it by making one with each of them: evidence of grade `value`, and the new one is used before the old one dies.
 */
export function itself(own: OwnUse): Consumer {
  const { credential, users } = own;
  const names = users.map(userText).join(", ");
  const other = (who: string) => ({
    cause: `${ITSELF}: ${who} goes by another value of ${credential} than the expected one`,
    cure: `does somebody else write to the store of ${credential}?`,
  });
  const ask = (user: User, signal: AbortSignal) => whatItAsked(credential, () => own.use(user, signal));

  /** The first of the users that goes by another value, after a call of each of them. */
  async function otherUser(expected: Secret, signal: AbortSignal): Promise<User | undefined> {
    for (const user of users) {
      let asked = await ask(user, signal);
      if (asked.value === undefined) {
        own.renew(user);
        asked = await ask(user, signal);
      }
      // Whether the vendor accepts the value is for `prove` to say.
      if (asked.value === undefined && asked.failure !== undefined) throw asked.failure;
      if (asked.value?.equals(expected) === false) return user;
    }
    return undefined;
  }

  return {
    async preflight(current, signal) {
      if (current === undefined) return [];
      const findings: Finding[] = [];
      for (const user of users) findings.push(...findingsOf(user, await ask(user, signal)));
      return findings;
    },

    async reload(expected, signal) {
      const user = await otherUser(expected, signal);
      return user === undefined ? { holds: "expected" } : { holds: "other", ...other(userText(user)) };
    },

    async prove(expected, signal) {
      // A plug that does not ask was connected anew at the reload, when this was the value already.
      if (!(await own.value()).equals(expected)) return { result: "contradicted", ...other("its reference") };
      for (const user of users) {
        let { value, failure } = await ask(user, signal);
        // What it made of the value before may have run out: only a call that goes by the value says something of it.
        if (value === undefined && failure !== undefined) {
          own.renew(user);
          ({ value, failure } = await ask(user, signal));
        }
        if (value?.equals(expected) === false) return { result: "contradicted", ...other(userText(user)) };
        if (hasCode(failure, "unauthorized", "forbidden")) {
          return { result: "refused", cause: `${ITSELF}: ${userText(user)}: ${failure.message}`, cure: failure.hint };
        }
        if (failure !== undefined) throw failure;
      }
      return { result: "proven", grade: "value", detail: { calledWithIt: names } };
    },

    async busySince(reloadedAt) {
      return own.begunBy(reloadedAt);
    },

    describe: () => ({
      reload: `the next call of ${names} goes by the new value`,
      prove: `makes a call of ${names} with the new value`,
    }),
  };
}

/** What waits for nothing but a person. The rest is thrown: it may pass. */
function findingsOf(user: User, { failure }: Asked): readonly Finding[] {
  if (failure === undefined) return [];
  if (!(failure instanceof AdapterError) || failure.retry) throw failure;
  return [{ code: failure.code, message: `${ITSELF}: ${userText(user)}: ${failure.message}`, cure: failure.hint }];
}
