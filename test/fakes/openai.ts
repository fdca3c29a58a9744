import { setTimeout as sleep } from "node:timers/promises";
import { type Answer, type EventStream, type FakeRequest, type HttpFake, type Phase, startHttpFake } from "./http-fake.ts";
import { adminApi } from "./openai/admin.ts";
import type { FakeAdminKey } from "./openai/admin-keys.ts";
import { controlApi } from "./openai/control.ts";
import { inferenceApi, type Pace } from "./openai/inference.ts";
import { Refusal } from "./openai/replies.ts";
import { type FakeAccount, type FakeKey, makeVendor, type Vendor } from "./openai/vendor.ts";

/** One request as the fake saw it; never a secret. */
export interface Seen {
  /** Counts from 1. */
  readonly n: number;
  readonly method: string;
  readonly path: string;
  /** The key that signed it, also a dead one; `null` for an unknown secret. */
  readonly keyId: string | null;
  readonly at: number;
  /** When the answer was out; `null` while it is not. */
  endedAt: number | null;
  /** `null` when no answer was sent. */
  status: number | null;
}

export interface FakeOpenAi extends HttpFake<Seen> {
  /** Base URL of both APIs, with `/v1`. */
  readonly url: string;
  readonly vendor: Vendor;
  readonly pace: Pace;
  /** A seeded admin key, and one that may only read. */
  readonly admin: FakeAdminKey;
  readonly reader: FakeAdminKey;
  /** A seeded service account with one key. */
  readonly account: FakeAccount;
  readonly key: FakeKey;
  /** Called at each phase of each request, and awaited; `replied` is after the answer. */
  onRequest: ((seen: Seen, phase: Phase | "replied") => void | Promise<void>) | undefined;
}

const AT_ONCE: Readonly<Pace> = { firstMs: 0, chunkMs: 0, chunks: 1 };
/** No lag of new keys meets those that were there before. */
const DAY_MS = 86_400_000;
const CONTROL = "/__fake";

/** Starts OpenAI's admin and inference API on a loopback port, with state in memory. */
export async function startFakeOpenAi(options: { port?: number; project?: string } = {}): Promise<FakeOpenAi> {
  const vendor = makeVendor(options.project ?? "proj_fake");
  const account = vendor.addAccount("shared");
  const pace: Pace = { ...AT_ONCE };
  const server = await startHttpFake<Seen>(
    {
      answer: (request) => work(vendor, pace, request),
      refuse: (status, message) => ({ status, body: { error: { message, type: "server_error" } } }),
      limit: () => new Refusal(429, "Rate limit reached.", { type: "requests", code: "rate_limit_exceeded" }).answer,
      seen({ method, path, bearer }) {
        const signer = bearer === undefined ? undefined : (vendor.admins.find(bearer) ?? vendor.findBySecret(bearer));
        return { n: fake.log.length + 1, method, path, keyId: signer?.id ?? null, at: Date.now(), endedAt: null, status: null };
      },
      aside: ({ method, path, text }) =>
        path.startsWith(`${CONTROL}/`) ? controlApi(fake, method, path.slice(CONTROL.length), text) : undefined,
      onRequest: (seen, phase) => fake.onRequest?.(seen, phase),
      async reply(seen, status, send) {
        if (!seen.path.startsWith("/v1/organization/")) await sleep(pace.firstMs);
        seen.status = status;
        await send();
        seen.endedAt = Date.now();
        await fake.onRequest?.(seen, "replied");
      },
      reset() {
        vendor.reset();
        Object.assign(pace, AT_ONCE);
      },
    },
    options.port,
  );
  const fake: FakeOpenAi = Object.assign(server, {
    url: `${server.url}/v1`,
    vendor,
    pace,
    admin: vendor.admins.add("seeded", { ageMs: DAY_MS }),
    reader: vendor.admins.add("reader", { scopes: "read", ageMs: DAY_MS }),
    account,
    key: vendor.addKey(account, "seeded"),
    onRequest: undefined,
  });
  return fake;
}

function work(vendor: Vendor, pace: Pace, request: FakeRequest): Answer | EventStream {
  const { method, query, bearer: secret } = request;
  if (!request.path.startsWith("/v1/")) throw new Refusal(404, `Invalid URL (${method} ${request.path})`);
  if (secret === undefined) throw new Refusal(401, "You didn't provide an API key in an Authorization header using Bearer auth.");
  const path = request.path.slice("/v1".length);
  const admin = vendor.admins.use(secret);
  if (path.startsWith("/organization/")) {
    if (admin === undefined) throw notAnAdmin(vendor, secret);
    return adminApi(vendor, { method, path: path.slice("/organization".length), query, body: parse(request), admin });
  }
  if (admin !== undefined) throw missingScopes("model.request");
  const key = use(vendor, secret);
  return inferenceApi(vendor, { method, path, query, body: parse(request), key }, pace);
}

/** The key of an accepted secret, its use noted; else the vendor's refusal of a dead or unknown one. */
function use(vendor: Vendor, secret: string): FakeKey {
  const key = vendor.accepted(secret);
  if (key === undefined) {
    vendor.findBySecret(secret)?.refusals.push(Date.now());
    throw unknownKey(secret);
  }
  key.lastUsedAt = Date.now();
  key.uses.push(key.lastUsedAt);
  return key;
}

const notAnAdmin = (vendor: Vendor, secret: string): Refusal =>
  vendor.accepted(secret) === undefined ? unknownKey(secret) : missingScopes("api.management.read");

function missingScopes(scope: string): Refusal {
  return new Refusal(403, `You have insufficient permissions for this operation. Missing scopes: ${scope}.`);
}

function unknownKey(secret: string): Refusal {
  const shown = `${secret.slice(0, 8)}***${secret.slice(-4)}`;
  return new Refusal(401, `Incorrect API key provided: ${shown}.`, { code: "invalid_api_key" });
}

function parse({ contentType, text }: FakeRequest): unknown {
  if (text === "") return undefined;
  if (!/^application\/json\b/.test(contentType)) throw new Refusal(415, "Unsupported content type.");
  try {
    return JSON.parse(text);
  } catch {
    throw new Refusal(400, "We could not parse the JSON body of your request.");
  }
}
