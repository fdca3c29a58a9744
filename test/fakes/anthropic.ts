import { adminApi } from "./anthropic/admin.ts";
import { inferenceApi } from "./anthropic/inference.ts";
import { Refusal, type Version } from "./anthropic/replies.ts";
import { type FakeAdminKey, makeVendor, type Vendor } from "./anthropic/vendor.ts";
import { type Answer, type FakeRequest, type HttpFake, type Phase, startHttpFake } from "./http-fake.ts";

/** One request as the fake saw it; never a secret. */
export interface Seen {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly body: unknown;
}

export interface FakeAnthropic extends HttpFake<Seen> {
  /** Address of both APIs, without `/v1`. */
  readonly url: string;
  readonly vendor: Vendor;
  readonly admin: FakeAdminKey;
  /** Called before and after the work on each request, and awaited. */
  onRequest: ((seen: Seen, phase: Phase) => void | Promise<void>) | undefined;
}

const ADMIN = "/v1/organizations";

/** Starts Anthropic's Admin API and its inference API on one loopback port, with state in memory. */
export async function startFakeAnthropic(): Promise<FakeAnthropic> {
  const vendor = makeVendor();
  const server = await startHttpFake<Seen>({
    answer: (request) => work(vendor, request),
    refuse: (status, message) => ({ status, body: { type: "error", error: { type: "api_error", message } } }),
    limit: () => new Refusal(429, "Rate limit reached.").answer,
    seen: ({ method, target, text }) => ({ method, path: target, body: text === "" ? undefined : safely(text) }),
    onRequest: (seen, phase) => fake.onRequest?.(seen, phase),
    reset: () => vendor.reset(),
  });
  const fake: FakeAnthropic = Object.assign(server, { vendor, admin: vendor.addAdmin(), onRequest: undefined });
  return fake;
}

function work(vendor: Vendor, request: FakeRequest): Answer {
  const { method, path, query } = request;
  const secret = secretOf(request);
  const body = parse(request);
  // What speaks OpenAI's language knows no version.
  const version = path === "/v1/chat/completions" ? undefined : versionOf(request);
  if (path.startsWith(`${ADMIN}/`)) {
    if (!vendor.isAdmin(secret)) throw new Refusal(401, "invalid x-api-key");
    return adminApi(vendor, { method, path: path.slice(ADMIN.length), query, body, version: version ?? "2023-06-01" });
  }
  if (!path.startsWith("/v1/")) throw new Refusal(404, "Not found");
  vendor.use(secret);
  return inferenceApi({ method, path: path.slice("/v1".length), query, body, version });
}

/** Both headers exist: plain requests send the one, the vendor's client the other. Never both. */
function secretOf({ bearer, headers }: FakeRequest): string {
  const key = headers["x-api-key"];
  if (bearer !== undefined && key !== undefined) throw new Refusal(400, "only one of x-api-key and authorization may be given");
  const secret = bearer ?? key;
  if (secret === undefined) throw new Refusal(401, "x-api-key header is required");
  return secret;
}

function versionOf({ headers }: FakeRequest): Version {
  const version = headers["anthropic-version"];
  if (version === undefined) throw new Refusal(400, "anthropic-version: header is required");
  if (version !== "2023-06-01" && version !== "2026-10-21") throw new Refusal(400, "anthropic-version: not a known version");
  return version;
}

function parse({ contentType, text }: FakeRequest): unknown {
  if (text === "") return undefined;
  if (!/^application\/json\b/.test(contentType)) throw new Refusal(400, "content-type: application/json is required");
  try {
    return JSON.parse(text);
  } catch {
    throw new Refusal(400, "The request body is not valid JSON");
  }
}

function safely(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
