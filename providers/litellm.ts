import { z } from "zod";
import { AdapterError, hasCode } from "../src/contract/errors.ts";
import type { HttpRequest } from "../src/contract/http.ts";
import { readAll } from "../src/contract/listing.ts";
import { defineProvider, type Provider } from "../src/contract/provider.ts";
import { Secret } from "../src/contract/secret.ts";
import { verdictOn } from "../src/contract/verdict.ts";
import type { World } from "../src/contract/world.ts";
import { adminRefusal, createRefusal, deleteRefusal, verifyRefusal } from "./litellm/refusals.ts";
import { createdKey, deleted, type KeyInfo, keyInfo, keyPage, switched, toKey } from "./litellm/replies.ts";
import { rightsOf } from "./litellm/rights.ts";
import { type Settings, settings } from "./litellm/settings.ts";

/** Virtual keys of one LiteLLM proxy (self-hosted), each with a secret of ours. */
export const litellm = defineProvider({
  title: "LiteLLM proxy",
  apiDocs: "https://docs.litellm.ai/docs/proxy/virtual_keys",
  supply: "create",
  account: ["baseUrl", "adminKey"],
  // The database may have read replicas.
  listLagMs: 10_000,
  // Each replica of the proxy keeps a key in memory for 60 s, and may have had it from a shared cache that keeps it as long.
  revokeLagMs: 120_000,
  // Uses are written in batches, every 10 to 15 s as the proxy comes, with the time of the batch.
  lastUsed: { precisionMs: 30_000, lagMs: 60_000 },
  makeSecret: (random) => new Secret(`sk-${Buffer.from(random(32)).toString("base64url")}`),
  keyForm: { pattern: /^sk-\S{13,}$/, hint: "a virtual key of LiteLLM begins with sk-" },
  settings,
  describe({ expiresIn }) {
    return {
      create: "creates a key with a secret of ours, and with the models, budgets, limits, team and user of the key that it replaces",
      revoke: "deletes the old key",
      afterRevoke: "replicas of the proxy that have it in memory accept it for a minute longer",
      ...(expiresIn !== undefined && { keyLifetimeMs: expiresIn }),
    };
  },
  connect: connectLiteLlm,
});

/** The most that the proxy gives. */
const PAGE_SIZE = 100;

function connectLiteLlm(settings: Settings, world: World): Provider & Required<Pick<Provider, "create" | "setEnabled">> {
  async function admin<Reply>(path: string, request: Omit<HttpRequest<Reply>, "bearer">): Promise<Reply> {
    const bearer = await world.secret(settings.adminKey);
    return world.http(`${settings.baseUrl}/key/${path}`, { refusal: adminRefusal, ...request, bearer });
  }

  /** By default newest first, and by hash where that is equal; any other order has no such second part. */
  function readPage({ page, size }: { page: number; size: number }, signal: AbortSignal) {
    const path = `list?page=${page}&size=${size}&return_full_object=true`;
    return admin(path, { action: "litellm: list keys", method: "GET", reply: keyPage, signal });
  }

  /** The key of this hash; `undefined` for one that is gone, which the proxy still shows, or that never was. */
  async function infoOf(hash: string, signal: AbortSignal): Promise<KeyInfo | undefined> {
    const path = `info?key=${encodeURIComponent(hash)}`;
    try {
      const { info } = await admin(path, { action: "litellm: look at key", method: "GET", reply: keyInfo, signal });
      return info.status === "deleted" || info.deleted_at ? undefined : info;
    } catch (error) {
      if (hasCode(error, "notFound")) return undefined;
      throw error;
    }
  }

  async function like(hash: string, signal: AbortSignal): Promise<KeyInfo> {
    const info = await infoOf(hash, signal);
    if (info === undefined) throw new AdapterError("notFound", "litellm: look at key: the key to be like is gone");
    return info;
  }

  return {
    /** Told a secret that it has already, the proxy says that all is well and changes nothing: each create needs one of its own. */
    async create({ label, like: old, secret }, signal) {
      if (secret === undefined) throw new Error("litellm: a key is created with a secret of ours");
      const from = old === undefined ? undefined : await like(old.id, signal);
      const body = { ...rightsOf(settings, from, world.clock.now()), key_alias: label, key: secret.reveal() };
      const request = { action: "litellm: create key", method: "POST", body, reply: createdKey, refusal: createRefusal, signal } as const;
      const made = await admin("generate", request);
      const hash = secret.sha256();
      if ((made.token ?? made.token_id) !== hash)
        throw new AdapterError("malformed", "litellm: create key: the key has another secret than it was given");
      return { ...toKey({ ...made, token: hash, key_alias: label, last_active: null }, world.clock.now()), secret };
    },

    async list(signal) {
      const now = world.clock.now();
      const rows = await readAll({
        action: "litellm: list keys",
        async readPage(offset) {
          const page = Math.floor(offset / PAGE_SIZE) + 1;
          const { keys, total_pages: pages } = await readPage({ page, size: PAGE_SIZE }, signal);
          return { rows: keys, isLast: page >= pages };
        },
        idOf: ({ token }) => token,
      });
      return rows.map((row) => toKey(row, now));
    },

    /** A key is called by the hash of its secret, so there is no doubt. */
    async identify(secret, signal) {
      const hash = secret.sha256();
      const info = await infoOf(hash, signal);
      return info && toKey({ ...info, token: hash }, world.clock.now());
    },

    async verify(secret, signal) {
      const { path, ...call } = VERIFY_CALLS[settings.verify.by](settings.verify.model);
      const request = { ...call, action: "litellm: verify key", bearer: secret, signal };
      return verdictOn(() => world.http(`${settings.baseUrl}/v1/${path}`, { ...request, refusal: verifyRefusal }));
    },

    async setEnabled(keyId, enabled, signal) {
      const action = enabled ? "litellm: unblock key" : "litellm: block key";
      await admin(enabled ? "unblock" : "block", { action, method: "POST", body: { key: keyId }, reply: switched, signal });
    },

    /** By its hash: by an alias, every key that was made under it at once would go. */
    async revoke(keyId, signal) {
      try {
        const request = { method: "POST", body: { keys: [keyId] }, reply: deleted, refusal: deleteRefusal, signal } as const;
        await admin("delete", { action: "litellm: delete key", ...request });
      } catch (error) {
        if (!hasCode(error, "notFound", "undeletable")) throw error;
        if ((await infoOf(keyId, signal)) !== undefined) {
          if (hasCode(error, "undeletable")) throw error;
          throw new AdapterError("inconclusive", "litellm: delete key: it is said not to be there, and it is", { cause: error });
        }
        // A wrong address answers 404 as well, and would let every key look gone: then this throws.
        await readPage({ page: 1, size: 1 }, signal);
      }
    },
  };
}

type VerifyCall = Pick<HttpRequest<unknown>, "method" | "body" | "reply"> & { readonly path: string };

/** The part of an answer that shows that it is one, and no page of somebody in between. */
const listOf = (name: string) => z.looseObject({ [name]: z.array(z.unknown()) });

const VERIFY_CALLS: Readonly<Record<Settings["verify"]["by"], (model: string | undefined) => VerifyCall>> = {
  models: () => ({ path: "models", method: "GET", reply: listOf("data") }),
  chat: (model) => {
    const messages = [{ role: "user", content: "ping" }];
    return { path: "chat/completions", method: "POST", body: { model, messages, max_tokens: 1 }, reply: listOf("choices") };
  },
};
