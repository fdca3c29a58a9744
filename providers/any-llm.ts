import { z } from "zod";
import { AdapterError, hasCode } from "../src/contract/errors.ts";
import type { HttpRequest } from "../src/contract/http.ts";
import { readAll } from "../src/contract/listing.ts";
import { defineProvider, type Provider, type VendorKey } from "../src/contract/provider.ts";
import { verdictOn } from "../src/contract/verdict.ts";
import type { World } from "../src/contract/world.ts";
import { adminRefusal, createRefusal, verifyRefusal } from "./any-llm/refusals.ts";
import { createdKey, deleted, type KeyRow, keyPage, keyRow, toCreated, toKey } from "./any-llm/replies.ts";
import { type Settings, settings } from "./any-llm/settings.ts";

/** Keys of one any-llm gateway (Mozilla; self-hosted). */
export const anyLlm = defineProvider({
  title: "any-llm gateway",
  apiDocs: "https://mozilla-ai.github.io/any-llm/",
  supply: "create",
  cannotIdentify: true,
  account: ["baseUrl", "adminKey"],
  listLagMs: 0,
  lastUsed: { precisionMs: 1, lagMs: 0 },
  settings,
  describe({ user, expiresIn }) {
    const owner = user === undefined ? "for the user of the key that it replaces" : `for the user ${user}`;
    return {
      create: `creates a key ${owner}, with the metadata of the key that it replaces`,
      revoke: "deletes the old key; its user and the record of what it spent stay",
      ...(expiresIn !== undefined && { keyLifetimeMs: expiresIn }),
    };
  },
  connect: connectAnyLlm,
});

/** Rows of a page: few enough for an answer of bounded size even where keys carry much metadata. */
const PAGE_SIZE = 200;

function connectAnyLlm(settings: Settings, world: World): Provider & Required<Pick<Provider, "create" | "setEnabled" | "preflight">> {
  const keys = `${settings.baseUrl}/v1/keys`;
  const keyUrl = (id: string) => `${keys}/${encodeURIComponent(id)}`;

  async function admin<Reply>(url: string, request: Omit<HttpRequest<Reply>, "bearer">): Promise<Reply> {
    const bearer = await world.secret(settings.adminKey);
    return world.http(url, { refusal: adminRefusal, ...request, bearer });
  }

  function readPage({ skip, limit }: { skip: number; limit: number }, signal: AbortSignal): Promise<readonly KeyRow[]> {
    return admin(`${keys}?skip=${skip}&limit=${limit}`, { action: "any-llm: list keys", method: "GET", reply: keyPage, signal });
  }

  const look = (id: string, signal: AbortSignal): Promise<KeyRow> =>
    admin(keyUrl(id), { action: "any-llm: look at key", method: "GET", reply: keyRow, signal });

  /** What a new key takes over from this one; the listing of the contract does not carry it. */
  async function inherited(like: VendorKey, signal: AbortSignal) {
    const row = await look(like.id, signal);
    const lifetimeMs = row.expires_at && row.expires_at.at.getTime() - row.created_at.at.getTime();
    return { userId: row.user_id, metadata: row.metadata, lifetimeMs };
  }

  async function isGone(id: string, signal: AbortSignal): Promise<boolean> {
    try {
      await look(id, signal);
      return false;
    } catch (error) {
      if (!hasCode(error, "notFound")) throw error;
      // A wrong address answers 404 as well, and would let every key look gone: then this throws.
      await readPage({ skip: 0, limit: 1 }, signal);
      return true;
    }
  }

  return {
    async preflight(signal) {
      if (settings.expiresIn === undefined) return [];
      const [row] = await readPage({ skip: 0, limit: 1 }, signal);
      if (row === undefined || row.created_at.hasOffset) return [];
      const message = "any-llm: the gateway's database is SQLite, with which it refuses every key that has an end";
      return [{ code: "noExpiry", message, cure: "leave expiresIn out, or give the gateway a Postgres database" }];
    },

    async create({ label, like }, signal) {
      const from = like === undefined ? undefined : await inherited(like, signal);
      const userId = settings.user ?? from?.userId;
      const lifetimeMs = settings.expiresIn ?? from?.lifetimeMs;
      const body = {
        key_name: label,
        ...(userId && { user_id: userId }),
        ...(from?.metadata && { metadata: from.metadata }),
        ...(lifetimeMs && { expires_at: new Date(world.clock.now() + lifetimeMs).toISOString() }),
      };
      const request = { action: "any-llm: create key", method: "POST", body, reply: createdKey, refusal: createRefusal, signal } as const;
      return toCreated(await admin(keys, request), world.clock.now());
    },

    async list(signal) {
      const now = world.clock.now();
      const rows = await readAll({
        action: "any-llm: list keys",
        async readPage(skip) {
          const page = await readPage({ skip, limit: PAGE_SIZE }, signal);
          if (page.length > PAGE_SIZE) throw new AdapterError("malformed", "any-llm: list keys: a page that is longer than asked for");
          return { rows: page, isLast: page.length < PAGE_SIZE };
        },
        idOf: ({ id }) => id,
      });
      return rows.map((row) => toKey(row, now));
    },

    /** The gateway keeps a hash of a secret and shows nothing of it; a use seen in `lastUsedAt` may be anybody's. */
    async identify() {
      return undefined;
    },

    async verify(secret, signal) {
      const body = { model: settings.verify.model, messages: [{ role: "user", content: "ping" }], max_tokens: 1 };
      const request = { action: "any-llm: verify key", method: "POST", body, bearer: secret, reply: chatReply, signal } as const;
      return verdictOn(() => world.http(`${settings.baseUrl}/v1/chat/completions`, { ...request, refusal: verifyRefusal }));
    },

    async setEnabled(keyId, enabled, signal) {
      const action = enabled ? "any-llm: switch key on" : "any-llm: switch key off";
      await admin(keyUrl(keyId), { action, method: "PATCH", body: { is_active: enabled }, reply: keyRow, signal });
    },

    async revoke(keyId, signal) {
      try {
        await admin(keyUrl(keyId), { action: "any-llm: delete key", method: "DELETE", reply: deleted, signal });
      } catch (error) {
        if (!hasCode(error, "notFound")) throw error;
        if (!(await isGone(keyId, signal)))
          throw new AdapterError("inconclusive", "any-llm: delete key: it is said not to be there, and it is", { cause: error });
      }
    },
  };
}

const chatReply = z.looseObject({ choices: z.array(z.unknown()) });
