import { adminApi } from "./gemini/admin.ts";
import { inferenceApi } from "./gemini/inference.ts";
import { Refusal } from "./gemini/replies.ts";
import { makeTokens } from "./gemini/tokens.ts";
import { makeVendor, type Vendor } from "./gemini/vendor.ts";
import { type Answer, type FakeRequest, type HttpFake, startHttpFake } from "./http-fake.ts";

/** One request as the fake saw it; never a secret. Requests for tokens are not among them. */
interface Seen {
  readonly method: string;
  /** With the query, but for values of keys. */
  readonly path: string;
}

export interface FakeGemini extends HttpFake<Seen> {
  /** Address of both APIs; `/token` gives access tokens. */
  readonly url: string;
  readonly vendor: Vendor;
  readonly tokens: ReturnType<typeof makeTokens>;
  /** JSON keys of an account that may do all, and of one that may only read. */
  readonly admin: string;
  readonly reader: string;
}

const ADMIN = "/v2";
const INFERENCE = "/v1beta";

/** Starts Google's API Keys API, Gemini API and token endpoint on one loopback port, with state in memory. */
export async function startFakeGemini(project = "fake-project"): Promise<FakeGemini> {
  const vendor = makeVendor(project);
  const tokens = makeTokens(project);
  const server = await startHttpFake<Seen>({
    answer: work,
    refuse: (status, message) => ({ status, body: { error: { code: status, message, status: "UNKNOWN" } } }),
    limit: () => new Refusal("RESOURCE_EXHAUSTED", "Quota exceeded.", { reason: "RATE_LIMIT_EXCEEDED" }).answer,
    seen: ({ method, path, query, target }) => ({ method, path: query.has("keyString") ? `${path}?keyString` : target }),
    aside: ({ method, path, contentType, text }) => (path === "/token" ? tokens.answer(method, contentType, text) : undefined),
    reset: () => vendor.reset(),
    contentType: "application/json; charset=UTF-8",
  });
  return Object.assign(server, { vendor, tokens, admin: tokens.addAccount("admin"), reader: tokens.addAccount("reader", true) });

  function work(request: FakeRequest): Answer {
    const { method, path, query, headers, bearer = "" } = request;
    const body = parse(request);
    if (path.startsWith(`${INFERENCE}/`))
      return inferenceApi(vendor, { method, path: path.slice(INFERENCE.length), query, body, secret: headers["x-goog-api-key"] });
    if (!path.startsWith(`${ADMIN}/`)) throw new Refusal("NOT_FOUND", "The requested URL was not found on this server.");
    const account = tokens.find(bearer);
    if (account === undefined)
      throw new Refusal("UNAUTHENTICATED", "Request had invalid authentication credentials.", { reason: "ACCESS_TOKEN_EXPIRED" });
    return adminApi(vendor, { method, path: decodeURI(path.slice(ADMIN.length)), query, body, readOnly: account.readOnly });
  }
}

function parse({ contentType, text }: FakeRequest): unknown {
  if (text === "") return undefined;
  if (!/^application\/json\b/.test(contentType)) throw new Refusal("INVALID_ARGUMENT", "Invalid content type: a JSON body is expected.");
  try {
    return JSON.parse(text);
  } catch {
    throw new Refusal("INVALID_ARGUMENT", "Invalid JSON payload received.");
  }
}
