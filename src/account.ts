import { AdapterError } from "./contract/errors.ts";
import type { Provider } from "./contract/provider.ts";
import type { Clock } from "./contract/world.ts";

/** `verify` is signed by the key itself, and has a limit of its own. */
const NOT_OF_THE_ACCOUNT: ReadonlySet<string | symbol> = new Set<keyof Provider>(["verify"]);

/**
 * The same provider, with its account's rate limit shared by all credentials that use it: once the vendor has said how long
 * it wants to be left alone, every further management call of the account throws `rateLimited` without leaving, until then.
 */
export function respectLimit(provider: Provider, name: string, clock: Pick<Clock, "monotonic">): Provider {
  let quietUntil = 0;

  async function guarded(method: string, call: () => Promise<unknown>): Promise<unknown> {
    const leftMs = quietUntil - clock.monotonic();
    if (leftMs > 0) {
      throw new AdapterError("rateLimited", `${name}: ${method}: the account is over the vendor's limit`, {
        retryAfterMs: Math.ceil(leftMs),
      });
    }
    try {
      return await call();
    } catch (error) {
      if (error instanceof AdapterError && error.code === "rateLimited" && error.retryAfterMs !== undefined) {
        quietUntil = Math.max(quietUntil, clock.monotonic() + error.retryAfterMs);
      }
      throw error;
    }
  }

  return new Proxy(provider, {
    get(target, property, receiver) {
      const member: unknown = Reflect.get(target, property, receiver);
      if (typeof member !== "function" || NOT_OF_THE_ACCOUNT.has(property)) return member;
      return (...args: unknown[]) => guarded(String(property), () => member.apply(target, args) as Promise<unknown>);
    },
  });
}
