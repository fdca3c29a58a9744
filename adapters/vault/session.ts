import { z } from "zod";
import { AdapterError, hasCode } from "../../src/contract/errors.ts";
import { Secret } from "../../src/contract/secret.ts";
import type { KeepSession } from "../../src/contract/session.ts";
import { inTurn } from "../../src/contract/turns.ts";
import type { World } from "../../src/contract/world.ts";
import { encodePath } from "./paths.ts";
import type { KnownText } from "./refusals.ts";
import type { Server } from "./settings.ts";
import type { CallVault } from "./transport.ts";

/** One identity at one server, shared by all that call it as this one. */
export interface Session {
  /**
   * Runs a call with a token: renewed when two thirds of its time are over, and got anew, once, when it is refused. A `forbidden`
   * that comes out is about rights; a token that is no longer valid is `unauthorized`. Behind an AppRole, a secret-id that has
   * changed is logged in with at once, and the token that was born of the one before is revoked.
   */
  use<T>(signal: AbortSignal, call: (token: Secret) => Promise<T>): Promise<T>;
  /** Renews a token that was given to us, in time also while nobody calls. As a role we log in anew, and nothing is done. */
  keep: KeepSession;
}

/** Near the end of all that a token can be renewed for, its renewals come closer and closer; not closer than this. */
const SHORTEST_KEEP_MS = 1000;

interface Token {
  readonly secret: Secret;
  readonly renewable: boolean;
  /**
   * When to renew it, in Unix milliseconds and monotonic, whichever comes first: one jumps, and the other stands still while the
   * machine sleeps.
   */
  readonly renewAt: { readonly wall: number; readonly monotonic: number } | undefined;
  /** What it was born of, for an AppRole. */
  readonly secretId?: Secret;
}

const lease = z.looseObject({
  auth: z.looseObject({
    client_token: z
      .string()
      .min(1)
      .transform((text) => new Secret(text)),
    lease_duration: z.number(),
    renewable: z.boolean(),
  }),
});
const lookedUp = z.looseObject({
  data: z.looseObject({ ttl: z.number(), expire_time: z.string().nullish(), renewable: z.boolean().optional() }),
});

/** Vault answers 403 to a token that is not valid and to one without rights; a login it refuses with 400. */
const REFUSED = ["forbidden", "invalid"] as const;

/** A login that is refused so may have a good secret-id: who tries wrong ones has Vault refuse all of the role for some minutes. */
const LOGIN_TEXTS: readonly KnownText[] = [
  {
    statuses: [403],
    text: /./,
    means: {
      code: "inconclusive",
      why: "which does not say that the secret-id is wrong",
      cure: "Vault locks a role out for some minutes when somebody tries wrong secret-ids; if it stays, look at auth.appRole.mount and namespace",
    },
  },
];

let sessions = 0;

/** `who` is named in messages. */
export function openSession(who: string, { auth }: Pick<Server, "auth">, call: CallVault, world: World): Session {
  sessions += 1;
  const turn = `vault session ${sessions}`;
  let current: Token | undefined;
  /** Tokens of earlier secret-ids that are still to be revoked. */
  const outdated = new Set<Secret>();

  function token(secret: Secret, seconds: number, renewable: boolean): Token {
    const ms = (seconds * 1000 * 2) / 3;
    const renewAt = seconds > 0 ? { wall: world.clock.now() + ms, monotonic: world.clock.monotonic() + ms } : undefined;
    return { secret, renewable, renewAt };
  }

  /** Not above 0 when it is due; `undefined` for one without an end. */
  function leftMs({ renewAt }: Token): number | undefined {
    return renewAt && Math.min(renewAt.wall - world.clock.now(), renewAt.monotonic - world.clock.monotonic());
  }

  function fromLease(action: string, reply: unknown): Token {
    const { client_token, lease_duration, renewable } = shaped(lease, action, reply).auth;
    return token(client_token, lease_duration, renewable);
  }

  async function logIn(signal: AbortSignal): Promise<Token> {
    if (!("appRole" in auth)) return lookUp(await world.secret("token" in auth ? auth.token : { file: auth.tokenFile }), signal);
    const { roleId, secretId: reference, mount } = auth.appRole;
    const action = `${who}: log in as AppRole`;
    const secretId = await world.secret(reference);
    const body = { role_id: roleId, secret_id: secretId.reveal() };
    const path = `auth/${encodePath(mount)}/login`;
    const cure = `put a secret-id of the role ${roleId} that is valid into auth.appRole.secretId, and look at namespace`;
    return {
      ...fromLease(action, await accepted(action, cure, () => call({ action, method: "POST", path, body, texts: LOGIN_TEXTS, signal }))),
      secretId,
    };
  }

  /** Whether the secret-id is another one by now. One that cannot be read is no reason to give up a token that works. */
  async function hasChanged({ secretId }: Token): Promise<boolean> {
    if (!("appRole" in auth) || secretId === undefined) return false;
    try {
      return !(await world.secret(auth.appRole.secretId)).equals(secretId);
    } catch (error) {
      if (error instanceof AdapterError) return false;
      throw error;
    }
  }

  /** A call that is under way with one of them is refused, and made again with the present token. */
  async function revokeOutdated(signal: AbortSignal): Promise<void> {
    for (const old of outdated) {
      try {
        await call({
          action: `${who}: revoke our earlier token`,
          method: "POST",
          path: "auth/token/revoke-self",
          body: {},
          token: old,
          signal,
        });
      } catch (error) {
        if (!(error instanceof AdapterError)) throw error;
        // Only an outage is tried again: a token that is refused here is gone, or may not even revoke itself.
        if (error.retry) return;
      }
      outdated.delete(old);
    }
  }

  /** Shows that a token is valid, and how long. */
  async function lookUp(secret: Secret, signal: AbortSignal): Promise<Token> {
    const action = `${who}: look at our token`;
    const cure = `the token is expired, revoked, of another namespace, or may not look itself up: put a valid one into auth.${"token" in auth ? "token" : "tokenFile"}`;
    const look = () => call({ action, method: "GET", path: "auth/token/lookup-self", token: secret, signal });
    const { ttl, expire_time, renewable = false } = shaped(lookedUp, action, await accepted(action, cure, look)).data;
    // In its last second a token has no whole one left, as one without an end has.
    return token(secret, expire_time == null ? ttl : Math.max(ttl, 1), renewable);
  }

  async function renew({ secret, secretId }: Token, signal: AbortSignal): Promise<Token> {
    const action = `${who}: renew our token`;
    try {
      const reply = await call({ action, method: "POST", path: "auth/token/renew-self", body: {}, token: secret, signal });
      return { ...fromLease(action, reply), ...(secretId && { secretId }) };
    } catch (error) {
      if (!hasCode(error, ...REFUSED)) throw error;
      return logIn(signal);
    }
  }

  /** A token that is not `refused`; one caller at a time asks for it. */
  function acquire(signal: AbortSignal, refused?: Token): Promise<Token> {
    return inTurn(turn, signal, async () => {
      if (current === undefined || current === refused) current = await logIn(signal);
      else if (await hasChanged(current)) {
        const { secret } = current;
        current = await logIn(signal);
        outdated.add(secret);
      } else if ((leftMs(current) ?? 1) <= 0) {
        current = current.renewable ? await renew(current, signal) : await logIn(signal);
      }
      if (outdated.size > 0) await revokeOutdated(signal);
      return current;
    });
  }

  return {
    async use(signal, work) {
      const first = await acquire(signal);
      try {
        return await work(first.secret);
      } catch (error) {
        if (!hasCode(error, "forbidden")) throw error;
      }
      return work((await acquire(signal, first)).secret);
    },

    async keep(signal) {
      if ("appRole" in auth) return undefined;
      const left = leftMs(await acquire(signal));
      return left === undefined ? undefined : Math.max(left, SHORTEST_KEEP_MS);
    },
  };
}

async function accepted<T>(action: string, cure: string, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (!hasCode(error, ...REFUSED)) throw error;
    throw new AdapterError("unauthorized", `${action}: refused`, { cure });
  }
}

/** A reply of the documented shape. */
export function shaped<T>(shape: z.ZodType<T>, action: string, reply: unknown): T {
  const parsed = shape.safeParse(reply);
  if (parsed.success) return parsed.data;
  throw new AdapterError("malformed", `${action}: the answer has another shape than documented`, {
    cure: "look at url and mount: a KV engine must be of version 2, and no proxy may answer in its place",
  });
}
