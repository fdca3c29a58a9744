import { AdapterError } from "./contract/errors.ts";
import type { Provider, ProviderDefinition } from "./contract/provider.ts";
import type { Clock } from "./contract/world.ts";

/** The rate limit of one account, as far as the vendor said how long it wants to be left alone. */
export interface AccountLimit {
  /** How much of that is left; not above 0 when calls may leave. */
  leftMs(): number;
  quietFor(ms: number): void;
}

export function openLimit(clock: Pick<Clock, "monotonic">): AccountLimit {
  let quietUntil = 0;
  return {
    leftMs: () => quietUntil - clock.monotonic(),
    quietFor(ms) {
      quietUntil = Math.max(quietUntil, clock.monotonic() + ms);
    },
  };
}

/** Which account an entry's calls count against; entries that are called alike share one. An entry whose kind does not say stands alone. */
export function accountOf(
  name: string,
  { account }: Pick<ProviderDefinition, "account">,
  settings: Readonly<Record<string, unknown>>,
): string {
  return JSON.stringify(account === undefined ? name : account.map((setting) => settings[setting]));
}

/** `verify` is signed by the key itself, and has a limit of its own. */
const NOT_OF_THE_ACCOUNT: ReadonlySet<string | symbol> = new Set<keyof Provider>(["verify"]);

/** How long the vendor wants to be left alone. What a call met in the middle of its work is the cause of what it throws. */
function wishOf(error: unknown): number {
  if (!(error instanceof AdapterError)) return 0;
  return error.code === "rateLimited" ? (error.retryAfterMs ?? 0) : wishOf(error.cause);
}

/**
 * The same provider, with the rate limit of its account, which all credentials and entries of that account share: once the
 * vendor has said how long it wants to be left alone, every further management call of the account throws `rateLimited`
 * without leaving, until then.
 */
export function respectLimit(provider: Provider, name: string, limit: AccountLimit): Provider {
  async function guarded(method: string, call: () => Promise<unknown>): Promise<unknown> {
    const leftMs = limit.leftMs();
    if (leftMs > 0) {
      throw new AdapterError("rateLimited", `${name}: ${method}: the account is over the vendor's limit`, {
        retryAfterMs: Math.ceil(leftMs),
      });
    }
    try {
      return await call();
    } catch (error) {
      limit.quietFor(wishOf(error));
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
