import { z } from "zod";
import { AdapterError, hasCode } from "../src/contract/errors.ts";
import { fits } from "../src/contract/hint.ts";
import type { HttpRequest } from "../src/contract/http.ts";
import { defineProvider, type Provider } from "../src/contract/provider.ts";
import { verdictOn } from "../src/contract/verdict.ts";
import type { World } from "../src/contract/world.ts";
import { adminRefusal, archiveRefusal, verifyRefusal } from "./anthropic/refusals.ts";
import { isElsewhere, isLive, type KeyRow, keyPage, keyRow, toKey, workspaceRow } from "./anthropic/replies.ts";
import { type Settings, settings } from "./anthropic/settings.ts";

/** The version whose rows and errors are documented for the Admin API; a later one would have to be asked for. */
const VERSION = { "anthropic-version": "2023-06-01" } as const;

/** Keys of one organization at Anthropic. A person makes them in the Console: no call does. */
export const anthropic = defineProvider({
  title: "Anthropic",
  apiDocs: "https://platform.claude.com/docs/en/manage-claude/admin-api-keys",
  supply: "intake",
  account: ["baseUrl", "adminKey"],
  listLagMs: 120_000,
  keyForm: {
    pattern: /^sk-ant-(?!admin|oat|ort|sid)[A-Za-z0-9]+-\S{12,}$/,
    hint: "an API key begins with sk-ant-api; an Admin key (sk-ant-admin…) serves no consumer",
  },
  settings,
  intake({ console, workspace, serviceAccount, expiresIn }) {
    const account = serviceAccount === undefined ? "a service account" : `the service account ${serviceAccount}`;
    const lifetime = expiresIn === undefined ? "no expiration" : `an expiration of ${Math.round(expiresIn / 86_400_000)} days`;
    return {
      url: `${console}/settings/keys`,
      steps: [
        `set Linked account to ${account}, not to yourself: a personal key dies with its owner's membership`,
        workspace === undefined ? "choose the workspace of the key that it replaces" : `choose the workspace ${workspace}`,
        `choose ${lifetime}`,
        "copy the key: the Console shows it once",
      ],
    };
  },
  describe({ expiresIn }) {
    return {
      create: "takes a key that a person made in the Console, gives it a name of ours and switches it on",
      revoke: "archives the old key: it stays in the Console's list and works no more",
      ...(expiresIn !== undefined && { keyLifetimeMs: expiresIn }),
    };
  },
  connect: connectAnthropic,
});

function connectAnthropic(settings: Settings, world: World): Provider & Required<Pick<Provider, "preflight" | "rename" | "setEnabled">> {
  const organization = `${settings.baseUrl}/v1/organizations`;
  const keyUrl = (id: string) => `${organization}/api_keys/${encodeURIComponent(id)}`;
  const inference = settings.inferenceUrl ?? settings.baseUrl;
  const ours = settings.workspace === undefined ? {} : { workspace_id: settings.workspace };

  async function admin<Reply>(url: string, request: Omit<HttpRequest<Reply>, "headers" | "bearer">): Promise<Reply> {
    const headers = { "x-api-key": await world.secret(settings.adminKey), ...VERSION };
    return world.http(url, { refusal: adminRefusal, ...request, headers });
  }

  const page = (query: Readonly<Record<string, string>>, action: string, signal: AbortSignal) =>
    admin(`${organization}/api_keys?${new URLSearchParams({ ...query, ...ours })}`, { action, method: "GET", reply: keyPage, signal });

  /** Every key that can work, or be made to work. */
  async function rows(signal: AbortSignal): Promise<readonly KeyRow[]> {
    const found = new Map<string, KeyRow>();
    for (let after: string | undefined; ; ) {
      const { data, has_more, last_id } = await page({ limit: "100", ...(after && { after_id: after }) }, "anthropic: list keys", signal);
      for (const row of data) if (isLive(row) && !isElsewhere(row, settings.workspace)) found.set(row.id, row);
      if (!has_more) return [...found.values()];
      if (!last_id || last_id === after) throw new AdapterError("malformed", "anthropic: list keys: a page that leads nowhere");
      after = last_id;
    }
  }

  const look = (id: string, action: string, signal: AbortSignal) => admin(keyUrl(id), { action, method: "GET", reply: keyRow, signal });

  async function setStatus(id: string, status: Status, action: string, signal: AbortSignal): Promise<void> {
    const refusal = status === "archived" ? archiveRefusal : adminRefusal;
    const row = await admin(keyUrl(id), { action, method: "POST", body: { status }, reply: keyRow, refusal, signal });
    if (row.status !== status) throw new AdapterError("malformed", `${action}: the answer shows the key in another status`);
  }

  /** Whether a key can never work again. A wrong address answers 404 as well, and would let every key look gone: then listing throws. */
  async function isGone(id: string, signal: AbortSignal): Promise<boolean> {
    try {
      return !isLive(await look(id, "anthropic: look at key", signal));
    } catch (error) {
      if (!hasCode(error, "notFound")) throw error;
      return !(await rows(signal)).some((row) => row.id === id);
    }
  }

  return {
    async preflight(signal) {
      const { workspace } = settings;
      if (workspace === undefined) return [];
      const url = `${organization}/workspaces/${encodeURIComponent(workspace)}`;
      const cure = "correct workspace in the provider's settings; the Console shows the id of each (wrkspc_…)";
      try {
        const row = await admin(url, { action: "anthropic: look at workspace", method: "GET", reply: workspaceRow, signal });
        if (row.archived_at === null || row.archived_at === undefined) return [];
        return [{ code: "workspaceArchived", message: `anthropic: the workspace ${workspace} is archived, and its keys with it`, cure }];
      } catch (error) {
        if (!hasCode(error, "notFound")) throw error;
        return [{ code: "noWorkspace", message: `anthropic: the organization has no workspace ${workspace}`, cure }];
      }
    },

    async list(signal) {
      const now = world.clock.now();
      return (await rows(signal)).map((row) => toKey(row, now));
    },

    async identify(secret, signal) {
      const now = world.clock.now();
      const matches = (await rows(signal)).filter((row) => fits(row.partial_key_hint ?? "", secret));
      const [only] = matches;
      return only !== undefined && matches.length === 1 ? toKey(only, now) : undefined;
    },

    async rename(keyId, label, signal) {
      const request = { action: "anthropic: rename key", method: "POST", body: { name: label }, reply: keyRow, signal } as const;
      await admin(keyUrl(keyId), request);
    },

    async verify(secret, signal) {
      const { path, ...call } = VERIFY_CALLS[settings.verify.by](settings.verify.model);
      const headers = { "x-api-key": secret, ...VERSION };
      const request = { ...call, action: "anthropic: verify key", headers, refusal: verifyRefusal, signal };
      return verdictOn(() => world.http(`${inference}/v1/${path}`, request));
    },

    async setEnabled(keyId, enabled, signal) {
      const action = `anthropic: switch key ${enabled ? "on" : "off"}`;
      // It is not documented whether another status would bring an archived key back, and somebody meant it to be gone.
      if (isLive(await look(keyId, action, signal))) return setStatus(keyId, enabled ? "active" : "inactive", action, signal);
      if (!enabled) return;
      throw new AdapterError("notFound", `${action}: ${keyId} is archived or has expired`, { cure: "make a new key in the Console" });
    },

    async revoke(keyId, signal) {
      const action = "anthropic: archive key";
      try {
        await setStatus(keyId, "archived", action, signal);
      } catch (error) {
        if (!hasCode(error, "notFound", "undeletable")) throw error;
        if (await isGone(keyId, signal)) return;
        if (hasCode(error, "undeletable")) throw error;
        throw new AdapterError("inconclusive", `${action}: it is said not to be there, and it is`, { cause: error });
      }
    },
  };
}

type Status = "active" | "inactive" | "archived";
type VerifyCall = Pick<HttpRequest<unknown>, "method" | "body" | "reply"> & { readonly path: string };

/** The part of an answer that shows that it is one, and no page of somebody in between. */
const listOf = (name: string) => z.looseObject({ [name]: z.array(z.unknown()) });

/** The smallest requests. */
const VERIFY_CALLS: Readonly<Record<Settings["verify"]["by"], (model: string | undefined) => VerifyCall>> = {
  models: () => ({ path: "models?limit=1", method: "GET", reply: listOf("data") }),
  messages: (model) => {
    const body = { model, max_tokens: 1, messages: [{ role: "user", content: "ping" }] };
    return { path: "messages", method: "POST", body, reply: listOf("content") };
  },
};
