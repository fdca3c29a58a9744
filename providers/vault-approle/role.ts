import { encodePath } from "../../adapters/vault/paths.ts";
import { openSession, shaped } from "../../adapters/vault/session.ts";
import { type VaultRequest, vaultCalls } from "../../adapters/vault/transport.ts";
import { hasCode } from "../../src/contract/errors.ts";
import type { Secret } from "../../src/contract/secret.ts";
import type { World } from "../../src/contract/world.ts";
import { LOGIN_TEXTS, ROLE_TEXTS } from "./refusals.ts";
import { listed, loggedIn, type SecretIdRow, secretIdRow, tokenRow } from "./replies.ts";
import type { Settings } from "./settings.ts";

/** Look-ups that are under way at once. */
const AT_ONCE = 8;

type Ask = Pick<VaultRequest, "method" | "path" | "body"> & { readonly does: string; readonly signal: AbortSignal };

/** The calls about one role's secret-ids, and about the tokens that were born of them. */
export function openRole(settings: Settings, world: World) {
  const call = vaultCalls(settings, "examples/vault-approle-policy.hcl", world);
  const session = openSession("vault-approle", settings, call, world);
  const method = `auth/${encodePath(settings.mount)}`;
  const role = `${method}/role/${encodeURIComponent(settings.role)}`;

  /** A call with our own token. */
  function ask({ does, path, signal, ...request }: Ask): Promise<unknown> {
    return session.use(signal, (token) => call({ ...request, action: `vault-approle: ${does}`, path, token, texts: ROLE_TEXTS, signal }));
  }

  /** All names below a path; Vault says of an empty list that there is none. */
  async function list(does: string, path: string, signal: AbortSignal): Promise<readonly string[]> {
    const reply = await unlessGone(ask({ does, method: "LIST", path, signal }));
    return reply === undefined ? [] : shaped(listed, `vault-approle: ${does}`, reply).data.keys;
  }

  async function lookUp(path: string, body: object, signal: AbortSignal): Promise<SecretIdRow | undefined> {
    const does = "look at a secret-id";
    const reply = await unlessGone(ask({ does, method: "POST", path: `${role}/${path}/lookup`, body, signal }));
    return reply === undefined ? undefined : shaped(secretIdRow, `vault-approle: ${does}`, reply).data;
  }

  const byAccessor = (accessor: string, signal: AbortSignal) => lookUp("secret-id-accessor", { secret_id_accessor: accessor }, signal);

  return {
    role,
    ask,
    keepSession: session.keep,
    byAccessor,

    bySecret: (secret: Secret, signal: AbortSignal) => lookUp("secret-id", { secret_id: secret.reveal() }, signal),

    /** Every secret-id of the role. */
    async secretIds(signal: AbortSignal): Promise<readonly SecretIdRow[]> {
      const accessors = await list("list secret-ids", `${role}/secret-id`, signal);
      return found(accessors, (accessor) => byAccessor(accessor, signal));
    },

    /** Accessors of the living tokens that were born of the role's secret-id with this label: a token carries its metadata. */
    async tokensOf(label: string, signal: AbortSignal): Promise<readonly string[]> {
      const does = "look at the tokens";
      const path = "auth/token/lookup-accessor";
      return found(await list("list tokens", "auth/token/accessors", signal), async (accessor) => {
        const reply = await unlessGone(ask({ does, method: "POST", path, body: { accessor }, signal }));
        if (reply === undefined) return undefined;
        const { meta } = shaped(tokenRow, `vault-approle: ${does}`, reply).data;
        return meta?.["label"] === label && meta["role_name"] === settings.role ? accessor : undefined;
      });
    },

    async revokeToken(accessor: string, signal: AbortSignal): Promise<void> {
      const path = "auth/token/revoke-accessor";
      await unlessGone(ask({ does: "revoke a token", method: "POST", path, body: { accessor }, signal }));
    },

    /** Logs in with a secret-id, and gives the token back at once. */
    async tryOut(secretId: Secret, signal: AbortSignal): Promise<void> {
      const action = "vault-approle: log in with the secret-id";
      const body = { role_id: settings.roleId, secret_id: secretId.reveal() };
      const reply = await call({ action, method: "POST", path: `${method}/login`, body, texts: LOGIN_TEXTS, signal });
      const token = shaped(loggedIn, action, reply).auth.client_token;
      try {
        const path = "auth/token/revoke-self";
        await call({ action: "vault-approle: give the token back", method: "POST", path, body: {}, token, signal });
      } catch (error) {
        // One that may not do even this is revoked together with its secret-id.
        if (!hasCode(error, "forbidden")) throw error;
      }
    },
  };
}

/** What a call about one thing answers; `undefined` when the thing is gone. */
export async function unlessGone(asked: Promise<unknown>): Promise<unknown> {
  try {
    return await asked;
  } catch (error) {
    if (hasCode(error, "notFound")) return undefined;
    throw error;
  }
}

/** What `look` finds for each name, some at a time. */
async function found<T>(names: readonly string[], look: (name: string) => Promise<T | undefined>): Promise<readonly T[]> {
  const all: T[] = [];
  for (let from = 0; from < names.length; from += AT_ONCE) {
    const some = await Promise.all(names.slice(from, from + AT_ONCE).map(look));
    all.push(...some.filter((one) => one !== undefined));
  }
  return all;
}
