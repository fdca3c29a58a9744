import { z } from "zod";
import { afterCreate } from "../src/contract/after-create.ts";
import type { HttpRequest } from "../src/contract/http.ts";
import { type CreatedKey, defineProvider, type Provider } from "../src/contract/provider.ts";
import { verdictOn } from "../src/contract/verdict.ts";
import type { World } from "../src/contract/world.ts";
import { adminApi } from "./openai/admin-api.ts";
import { deleteRefusal, verifyRefusal } from "./openai/refusals.ts";
import {
  createdAccount,
  createdKey,
  deleted,
  identified,
  type KeyRow,
  keyPage,
  keyRow,
  type Lifetime,
  lifetimeFor,
  OUR_LABEL,
  onlyFit,
  toCreated,
  toKey,
} from "./openai/replies.ts";
import { type Settings, settings } from "./openai/settings.ts";

/** Keys of service accounts in one OpenAI project. */
export const openai = defineProvider({
  title: "OpenAI",
  apiDocs: "https://platform.openai.com/docs/api-reference/project-api-keys",
  supply: "create",
  account: ["baseUrl", "adminKey", "organization"],
  listLagMs: 120_000,
  lastUsed: { precisionMs: 1000, lagMs: 300_000 },
  settings,
  describe({ project, accounts, serviceAccount, scopes, expiresIn }) {
    const may = scopes === undefined ? "" : ` that may ${scopes.join(", ")}`;
    const shared = accounts === "shared";
    return {
      create: shared
        ? `creates a key${may} for the service account ${serviceAccount} in the project ${project}`
        : `creates a service account with one key${may} in the project ${project}`,
      revoke: shared
        ? "deletes the old key; its service account and the other keys stay"
        : "deletes the old key, together with the service account that rotated made for it",
      ...(expiresIn !== undefined && { keyLifetimeMs: expiresIn }),
    };
  },
  connect: connectOpenAi,
});

function connectOpenAi(settings: Settings, world: World): Provider & Required<Pick<Provider, "create">> {
  const project = `${settings.baseUrl}/organization/projects/${encodeURIComponent(settings.project)}`;
  const keyUrl = (id: string) => `${project}/api_keys/${encodeURIComponent(id)}`;
  const accountUrl = (id: string) => `${project}/service_accounts/${encodeURIComponent(id)}`;
  const inference = settings.inferenceUrl ?? settings.baseUrl;
  const scopes = settings.scopes === undefined ? {} : { scopes: settings.scopes };

  const api = adminApi(settings, world);
  const admin = api.call;

  /** A wrong project answers 404 as well, and would let every key look gone: then this throws. */
  function unlessGone<Reply>(ask: () => Promise<Reply>, signal: AbortSignal): Promise<Reply | undefined> {
    const look = { action: "openai: look at project", method: "GET", reply: keyPage, signal } as const;
    return api.unlessGone(ask, () => admin(`${project}/api_keys?limit=1&owner_project_access=any`, look));
  }

  const rows = (signal: AbortSignal): Promise<readonly KeyRow[]> =>
    api.rows(`${project}/api_keys`, { owner_project_access: "any" }, keyPage, signal);

  async function createShared(account: string, label: string, lifetime: Lifetime, signal: AbortSignal): Promise<CreatedKey> {
    const request = {
      action: "openai: create key",
      method: "POST",
      body: { name: label, ...scopes, ...lifetime },
      reply: createdKey,
      signal,
    } as const;
    return toCreated(label, await admin(`${accountUrl(account)}/api_keys`, request));
  }

  async function createWithAccount(label: string, lifetime: Lifetime, signal: AbortSignal): Promise<CreatedKey> {
    const request = {
      action: "openai: create service account",
      method: "POST",
      body: { name: label, ...lifetime },
      reply: createdAccount,
      signal,
    } as const;
    const { api_key: key } = await admin(`${project}/service_accounts`, request);
    if (settings.scopes !== undefined) await narrow(key.id, signal);
    return toCreated(label, key);
  }

  /**
   * The key of a new account may do all that the account may; only a second call narrows it. A crash in between leaves a key
   * under its label whose secret nobody has: the engine finds it there and revokes it.
   */
  async function narrow(keyId: string, signal: AbortSignal): Promise<void> {
    const request = { action: "openai: narrow key", method: "POST", body: scopes, reply: identified, signal } as const;
    await afterCreate(() => admin(keyUrl(keyId), request));
  }

  return {
    async preflight(signal) {
      if (settings.accounts !== "shared" || settings.serviceAccount === undefined) return [];
      const { serviceAccount } = settings;
      if (settings.serviceAccountKeys === "permanent") {
        const message = "openai: a key of a shared service account could never be revoked, since this organization's keys are permanent";
        return [
          { code: "undeletableKeys", message, cure: "set accounts: per-key: then the service account is deleted together with its key" },
        ];
      }
      const request = { action: "openai: look at service account", method: "GET", reply: identified, signal } as const;
      if ((await unlessGone(() => admin(accountUrl(serviceAccount), request), signal)) !== undefined) return [];
      const message = `openai: the project ${settings.project} has no service account ${serviceAccount}`;
      return [{ code: "noServiceAccount", message, cure: "correct serviceAccount, or set accounts: per-key" }];
    },

    /** Of `like` the vendor shows how long it lives, and not what it may: of that the settings alone decide. */
    create({ label, like }, signal) {
      const lifetime = lifetimeFor(settings.expiresIn, like);
      const { accounts, serviceAccount } = settings;
      return accounts === "shared" && serviceAccount !== undefined
        ? createShared(serviceAccount, label, lifetime, signal)
        : createWithAccount(label, lifetime, signal);
    },

    async list(signal) {
      const now = world.clock.now();
      return (await rows(signal)).map((row) => toKey(row, settings, now));
    },

    async identify(secret, signal) {
      const now = world.clock.now();
      const row = onlyFit(await rows(signal), secret);
      return row === undefined ? undefined : toKey(row, settings, now);
    },

    async verify(secret, signal) {
      const { path, ...call } = VERIFY_CALLS[settings.verify.by](settings.verify.model);
      const request = { ...call, action: "openai: verify key", headers: api.headers, bearer: secret, signal };
      return verdictOn(() => world.http(`${inference}/${path}`, { ...request, refusal: verifyRefusal }));
    },

    async revoke(keyId, signal) {
      const request = { method: "DELETE", reply: deleted, signal } as const;
      const account = settings.accounts === "per-key" ? await ownAccount(keyId, signal) : undefined;
      // One call for a key and its account, so that a crash leaves no empty account behind.
      const end = () =>
        account === undefined
          ? admin(keyUrl(keyId), { ...request, action: "openai: delete key", refusal: deleteRefusal(settings.accounts) })
          : admin(accountUrl(account), { ...request, action: "openai: delete service account" });
      await api.end(end, keyId, () => rows(signal));
    },
  };

  /** The account that we made for this key, if nothing else is in it. */
  async function ownAccount(keyId: string, signal: AbortSignal): Promise<string | undefined> {
    const request = { action: "openai: look at key", method: "GET", reply: keyRow, signal } as const;
    const account = (await unlessGone(() => admin(keyUrl(keyId), request), signal))?.owner.service_account;
    // Accounts of an adopted key are called otherwise, and are not ours to delete.
    if (account === undefined || account === null || !OUR_LABEL.test(account.name)) return undefined;
    const others = (await rows(signal)).filter((row) => row.owner.service_account?.id === account.id && row.id !== keyId);
    return others.length === 0 ? account.id : undefined;
  }
}

type VerifyCall = Pick<HttpRequest<unknown>, "method" | "body" | "reply"> & { readonly path: string };

/** The part of an answer that shows that it is one, and no page of somebody in between. */
const listOf = (name: string) => z.looseObject({ [name]: z.array(z.unknown()) });

/** The smallest requests; the vendor takes no fewer than 16 output tokens for a response. */
const VERIFY_CALLS: Readonly<Record<Settings["verify"]["by"], (model: string | undefined) => VerifyCall>> = {
  models: () => ({ path: "models", method: "GET", reply: listOf("data") }),
  responses: (model) => {
    const body = { model, input: "ping", max_output_tokens: 16, store: false };
    return { path: "responses", method: "POST", body, reply: listOf("output") };
  },
  chat: (model) => {
    const messages = [{ role: "user", content: "ping" }];
    return { path: "chat/completions", method: "POST", body: { model, messages, max_completion_tokens: 16 }, reply: listOf("choices") };
  },
};
