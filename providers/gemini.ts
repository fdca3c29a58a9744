import { z } from "zod";
import { AdapterError, hasCode } from "../src/contract/errors.ts";
import type { HttpRequest } from "../src/contract/http.ts";
import { defineProvider, type Provider } from "../src/contract/provider.ts";
import { Secret } from "../src/contract/secret.ts";
import { signedIn } from "../src/contract/signed-in.ts";
import { verdictOn } from "../src/contract/verdict.ts";
import type { World } from "../src/contract/world.ts";
import { adminRefusal, createRefusal, deleteRefusal, deletionFailure, operationFailure, verifyRefusal } from "./gemini/refusals.ts";
import {
  idOf,
  type KeyRow,
  keyIdFor,
  keyPage,
  keyRow,
  keyString,
  lookedUp,
  type Operation,
  operation,
  rightsOf,
  toKey,
} from "./gemini/replies.ts";
import { type Settings, settings } from "./gemini/settings.ts";
import { makeSignIn } from "./gemini/sign-in.ts";

/** Keys of one Google Cloud project for the Gemini API, each bound to a service account. */
export const gemini = defineProvider({
  title: "Google Gemini",
  apiDocs: "https://cloud.google.com/api-keys/docs/reference/rest/v2/projects.locations.keys",
  supply: "create",
  account: ["baseUrl", "adminKey"],
  listLagMs: 120_000,
  settings,
  describe({ project, serviceAccount, verify }) {
    return {
      create: `creates a key for the Gemini API, bound to ${serviceAccount}, in the project ${project}`,
      revoke: "deletes the old key; its service account and the other keys stay",
      afterRevoke: "a project owner can undo it for 30 days",
      ...(verify.by === "models" && { notes: [MODELS_ARE_LISTED_TO_ALL] }),
    };
  },
  connect: connectGemini,
});

const MODELS_ARE_LISTED_TO_ALL =
  "a key whose service account may not use the models passes verify, and is refused at the consumer only: with verify: { by: countTokens, model: … } it is seen before the old key is replaced";

function connectGemini(settings: Settings, world: World): Provider & Required<Pick<Provider, "create" | "recover">> {
  const api = `${settings.baseUrl}/v2`;
  const keys = `${api}/projects/${encodeURIComponent(settings.project)}/locations/global/keys`;
  const keyUrl = (id: string) => `${keys}/${encodeURIComponent(id)}`;
  const signIn = makeSignIn(settings, world);

  async function admin<Reply>(url: string, request: Omit<HttpRequest<Reply>, "headers" | "bearer">): Promise<Reply> {
    return signedIn(signIn, request.signal, (bearer) => world.http(url, { refusal: adminRefusal, ...request, bearer }));
  }

  const page = (query: Readonly<Record<string, string>>, action: string, signal: AbortSignal) =>
    admin(`${keys}?${new URLSearchParams(query)}`, { action, method: "GET", reply: keyPage, signal });

  const look = (id: string, signal: AbortSignal): Promise<KeyRow> =>
    admin(keyUrl(id), { action: "gemini: look at key", method: "GET", reply: keyRow, signal });

  /** Runs a call about one thing; `undefined` when the thing is not there. */
  async function unlessGone<Reply>(call: () => Promise<Reply>, signal: AbortSignal, ...more: "forbidden"[]): Promise<Reply | undefined> {
    try {
      return await call();
    } catch (error) {
      if (!hasCode(error, "notFound", ...more)) throw error;
      // A wrong project or address answers the same, and would let every key look gone: then this throws.
      await page({ pageSize: "1" }, "gemini: look at project", signal);
      return undefined;
    }
  }

  /** Waits until Google has done what it was asked for. Throws what the operation failed with. */
  async function finish(started: Operation, action: string, signal: AbortSignal, failure = operationFailure): Promise<unknown> {
    let now = started;
    for (let waitMs = 100; now.done !== true; waitMs = Math.min(waitMs * 2, 2000)) {
      await pause(waitMs, action, signal);
      const url = `${api}/operations/${encodeURIComponent(idOf(now.name))}`;
      now = await onceStarted(admin(url, { action: `${action}: look at operation`, method: "GET", reply: operation, signal }));
    }
    if (now.error === undefined) return now.response;
    throw new AdapterError(failure(now.error.code), `${action}: the operation failed with code ${now.error.code}`);
  }

  async function pause(ms: number, action: string, signal: AbortSignal): Promise<void> {
    try {
      await world.clock.sleep(ms, signal);
    } catch (error) {
      if (error instanceof DOMException && error.name === "TimeoutError")
        throw new AdapterError("timeout", `${action}: the operation did not end in time`);
      throw error;
    }
  }

  async function readString(id: string, signal: AbortSignal): Promise<Secret> {
    const request = { action: "gemini: read key string", method: "GET", reply: keyString, signal } as const;
    return new Secret((await admin(`${keyUrl(id)}/keyString`, request)).keyString);
  }

  return {
    async create({ label, like }, signal) {
      const model = like === undefined ? undefined : await look(like.id, signal);
      const body = { displayName: label, serviceAccountEmail: settings.serviceAccount, ...rightsOf(model, label) };
      const action = "gemini: create key";
      const request = { action, method: "POST", body, reply: operation, refusal: createRefusal, signal } as const;
      const started = await admin(`${keys}?keyId=${keyIdFor(label)}`, request);
      const response = await finish(started, action, signal);
      const row = keyRow.safeParse(response);
      if (!row.success) throw new AdapterError("malformed", `${action}: the operation ended without a key`);
      const key = toKey(row.data);
      return { ...key, label, secret: await onceStarted(readString(key.id, signal)) };
    },

    async list(signal) {
      const found = new Map<string, KeyRow>();
      for (let pageToken: string | undefined; ; ) {
        const { keys: rows, nextPageToken: next } = await page(
          { pageSize: "100", ...(pageToken && { pageToken }) },
          "gemini: list keys",
          signal,
        );
        for (const row of rows) if (row.deleteTime === undefined) found.set(row.name, row);
        if (next === undefined || next === "") return [...found.values()].map(toKey);
        if (next === pageToken) throw new AdapterError("malformed", "gemini: list keys: a page that leads nowhere");
        pageToken = next;
      }
    },

    recover: readString,

    async identify(secret, signal) {
      // Google takes the secret in the address only; it is masked wherever an address is logged.
      const url = `${api}/keys:lookupKey?${new URLSearchParams({ keyString: secret.reveal() })}`;
      const request = { action: "gemini: look up key", method: "GET", reply: lookedUp, signal } as const;
      // Of a string that is nobody's Google may say as well that we may not see it.
      const name = (await unlessGone(() => admin(url, request), signal, "forbidden"))?.name;
      if (name === undefined || name === "") return undefined;
      const row = await unlessGone(() => look(idOf(name), signal), signal);
      return row !== undefined && row.name === name && row.deleteTime === undefined ? toKey(row) : undefined;
    },

    async verify(secret, signal) {
      const { path, ...call } = VERIFY_CALLS[settings.verify.by](settings.verify.model);
      const headers = { "x-goog-api-key": secret };
      const request = { ...call, action: "gemini: verify key", headers, refusal: verifyRefusal, signal };
      return verdictOn(() => world.http(`${settings.inferenceUrl}/v1beta/${path}`, request));
    },

    async revoke(keyId, signal) {
      const action = "gemini: delete key";
      const request = { action, method: "DELETE", reply: operation, refusal: deleteRefusal, signal } as const;
      try {
        await finish(await admin(keyUrl(keyId), request), action, signal, deletionFailure);
      } catch (error) {
        if (!hasCode(error, "notFound", "undeletable")) throw error;
        const row = await unlessGone(() => look(keyId, signal), signal);
        if (row === undefined || row.deleteTime !== undefined) return;
        if (hasCode(error, "undeletable")) throw error;
        throw new AdapterError("inconclusive", `${action}: it is said not to be there, and it is`, { cause: error });
      }
    },
  };
}

/** A part of a change that was begun: whatever it is answered, no code may say that nothing was done. */
async function onceStarted<Reply>(call: Promise<Reply>): Promise<Reply> {
  try {
    return await call;
  } catch (error) {
    if (!(error instanceof AdapterError) || !error.answered) throw error;
    const { message, hint: cure, retryAfterMs } = error;
    const more = { cause: error, cure, ...(retryAfterMs !== undefined && { retryAfterMs }) };
    throw new AdapterError("unavailable", `${message}; the change itself was begun`, more);
  }
}

type VerifyCall = Pick<HttpRequest<unknown>, "method" | "body" | "reply"> & { readonly path: string };

/** The part of an answer that shows that it is one, and no page of somebody in between. */
const answers = {
  models: z.looseObject({ models: z.array(z.unknown()) }),
  tokens: z.looseObject({ totalTokens: z.number() }),
  // A prompt that is refused has no candidates.
  content: z.looseObject({ candidates: z.array(z.unknown()) }).or(z.looseObject({ promptFeedback: z.looseObject({}) })),
} as const;

const contents = [{ role: "user", parts: [{ text: "ping" }] }];

/** The smallest requests. Counting tokens is free, and unlike a listing it needs the rights of the bound account. */
const VERIFY_CALLS: Readonly<Record<Settings["verify"]["by"], (model: string | undefined) => VerifyCall>> = {
  models: () => ({ path: "models?pageSize=1", method: "GET", reply: answers.models }),
  countTokens: (model) => ({ path: `models/${model}:countTokens`, method: "POST", body: { contents }, reply: answers.tokens }),
  generateContent: (model) => {
    const body = { contents, generationConfig: { maxOutputTokens: 1 } };
    return { path: `models/${model}:generateContent`, method: "POST", body, reply: answers.content };
  },
};
