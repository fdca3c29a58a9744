import { AdapterError, hasCode } from "../src/contract/errors.ts";
import { fits } from "../src/contract/hint.ts";
import { readAll } from "../src/contract/listing.ts";
import { defineProvider, type Provider, type VendorKey } from "../src/contract/provider.ts";
import { verdictOn } from "../src/contract/verdict.ts";
import type { World } from "../src/contract/world.ts";
import { type Admin, bindTo, guardrailOf } from "./openrouter/guardrails.ts";
import { adminRefusal, verifyRefusal } from "./openrouter/refusals.ts";
import { createdKey, deleted, type KeyRow, keyPage, oneKey, ownKey, toCreated, toKey, verdictOf } from "./openrouter/replies.ts";
import { type Settings, settings } from "./openrouter/settings.ts";

/** Keys of one workspace at OpenRouter. */
export const openrouter = defineProvider({
  title: "OpenRouter",
  apiDocs: "https://openrouter.ai/docs/guides/overview/auth/management-api-keys",
  supply: "create",
  account: ["baseUrl", "adminKey"],
  listLagMs: 120_000,
  keyForm: { pattern: /^sk-or-\S+$/, hint: "a key of OpenRouter begins with sk-or-" },
  settings,
  describe({ workspace, expiresIn }) {
    const where = workspace === undefined ? "the default workspace" : `the workspace ${workspace}`;
    return {
      create: `creates a key in ${where}, with the limits and the guardrail of the key that it replaces, and nothing spent yet`,
      revoke: "deletes the old key",
      ...(expiresIn !== undefined && { keyLifetimeMs: expiresIn }),
    };
  },
  connect: connectOpenRouter,
});

/** Rows of a page, as the vendor's documents say. */
const PAGE_SIZE = 100;

function connectOpenRouter(settings: Settings, world: World): Provider & Required<Pick<Provider, "create" | "setEnabled">> {
  const keyPath = (hash: string) => `/keys/${encodeURIComponent(hash)}`;

  const admin: Admin = async (path, request) => {
    const bearer = await world.secret(settings.adminKey);
    return world.http(`${settings.baseUrl}${path}`, { refusal: adminRefusal, ...request, bearer });
  };

  async function readPage(offset: number, signal: AbortSignal): Promise<readonly KeyRow[]> {
    const { workspace } = settings;
    const query = new URLSearchParams({
      include_disabled: "true",
      offset: String(offset),
      ...(workspace !== undefined && { workspace_id: workspace }),
    });
    return (await admin(`/keys?${query}`, { action: "openrouter: list keys", method: "GET", reply: keyPage, signal })).data;
  }

  /**
   * The vendor sets the size of a page and says nowhere how many there are: only one with nothing on it is the last. Something in
   * its place that does not page shows the same again, whatever is asked: where that would not fill a page, it is all there is.
   */
  function rows(signal: AbortSignal): Promise<readonly KeyRow[]> {
    let before: string | undefined;
    return readAll({
      action: "openrouter: list keys",
      async readPage(offset) {
        const page = await readPage(offset, signal);
        const shown = page.map(({ hash }) => hash).join();
        const isAll = offset > 0 && shown === before && page.length < PAGE_SIZE;
        before = shown;
        return isAll ? { rows: [], isLast: true } : { rows: page, isLast: page.length === 0 };
      },
      idOf: ({ hash }) => hash,
    });
  }

  async function rowOf({ id }: VendorKey, signal: AbortSignal): Promise<KeyRow> {
    return (await admin(keyPath(id), { action: "openrouter: look at key", method: "GET", reply: oneKey, signal })).data;
  }

  return {
    async create({ label, like }, signal) {
      const from = like === undefined ? undefined : await beforeCreate(() => rowOf(like, signal));
      const guardrail = from === undefined ? undefined : await beforeCreate(() => guardrailOf(admin, from.hash, signal));
      const body = { name: label, ...rightsOf(settings, from, world.clock.now()) };
      const request = { action: "openrouter: create key", method: "POST", body, reply: createdKey, signal } as const;
      const made = await admin("/keys", request);
      if (guardrail !== undefined) await bindTo(admin, guardrail, made.data.hash, signal);
      return toCreated(made, world.clock.now());
    },

    async list(signal) {
      const now = world.clock.now();
      return (await rows(signal)).map((row) => toKey(row, now));
    },

    /** The vendor says that a hash is SHA-256, and not of what: one that is the secret's is certain, and none rules nothing out. */
    async identify(secret, signal) {
      const now = world.clock.now();
      const all = await rows(signal);
      const hash = secret.sha256();
      const matches = all.filter((row) => row.hash === hash);
      const [only, another] = matches.length === 0 ? all.filter((row) => fits(row.label, secret)) : matches;
      return only !== undefined && another === undefined ? toKey(only, now) : undefined;
    },

    /** Not the list of models, which the vendor shows to everybody. */
    async verify(secret, signal) {
      const request = { action: "openrouter: verify key", method: "GET", bearer: secret, reply: ownKey, signal } as const;
      return verdictOn(() => world.http(`${settings.baseUrl}/key`, { ...request, refusal: verifyRefusal }), verdictOf);
    },

    async setEnabled(keyId, enabled, signal) {
      const action = enabled ? "openrouter: switch key on" : "openrouter: switch key off";
      await admin(keyPath(keyId), { action, method: "PATCH", body: { disabled: !enabled }, reply: oneKey, signal });
    },

    async revoke(keyId, signal) {
      const action = "openrouter: delete key";
      try {
        await admin(keyPath(keyId), { action, method: "DELETE", reply: deleted, signal });
      } catch (error) {
        if (!hasCode(error, "notFound")) throw error;
        // A wrong address answers 404 as well, and would let every key look gone: then listing throws.
        if ((await rows(signal)).some(({ hash }) => hash === keyId))
          throw new AdapterError("inconclusive", `${action}: it is said not to be there, and is listed`, { cause: error });
      }
    },
  };
}

/** A look before the create call leaves: whatever stands in its way, no key was made. */
async function beforeCreate<T>(look: () => Promise<T>): Promise<T> {
  try {
    return await look();
  } catch (error) {
    if (!(error instanceof AdapterError) || error.answered) throw error;
    const { cause, hint: cure, message, retryAfterMs } = error;
    throw new AdapterError("inconclusive", `${message}; no key was made`, {
      cause,
      cure,
      ...(retryAfterMs !== undefined && { retryAfterMs }),
    });
  }
}

/** What a new key may do: what the settings say, else what the key may that it replaces. What is left out has no bound. */
function rightsOf(settings: Settings, from: KeyRow | undefined, now: number): Readonly<Record<string, unknown>> {
  const limit = settings.limit ?? from?.limit;
  const reset = settings.limitReset ?? from?.limit_reset;
  const lifetimeMs = settings.expiresIn ?? (from?.expires_at && from.expires_at.getTime() - from.created_at.getTime());
  const rights = {
    limit: limit === "none" ? undefined : limit,
    limit_reset: reset === "never" ? undefined : reset,
    include_byok_in_limit: settings.includeByokInLimit ?? from?.include_byok_in_limit,
    workspace_id: settings.workspace ?? from?.workspace_id,
    creator_user_id: settings.creator ?? from?.creator_user_id,
    external: from?.external_user && { user: from.external_user },
    expires_at: lifetimeMs && inSeconds(now + lifetimeMs),
  };
  return Object.fromEntries(Object.entries(rights).filter(([, value]) => value !== undefined && value !== null));
}

/** The vendor takes UTC, with the seconds written out. */
const inSeconds = (at: number): string => new Date(at).toISOString().replace(/\.\d+Z$/, "Z");
