import { type Answer, type FakeRequest, type HttpFake, methodAndTarget, startHttpFake } from "./http-fake.ts";
import { inferenceApi } from "./openrouter/inference.ts";
import { isManagement, managementApi } from "./openrouter/management.ts";
import { Refusal } from "./openrouter/replies.ts";
import { makeVendor, type Vendor } from "./openrouter/vendor.ts";

export interface FakeOpenRouter extends Omit<HttpFake, "url"> {
  /** Base URL of the API, with `/api/v1`. */
  readonly url: string;
  readonly vendor: Vendor;
  readonly managementKey: string;
}

const BASE = "/api/v1";

/** Starts OpenRouter's API on a loopback port, with state in memory. */
export async function startFakeOpenRouter(): Promise<FakeOpenRouter> {
  const vendor = makeVendor();
  const server = await startHttpFake({
    answer: (request) => work(vendor, request),
    refuse: (status, message) => new Refusal(status, message).answer,
    seen: methodAndTarget,
    reset: () => vendor.reset(),
  });
  return Object.assign(server, {
    url: `${server.url}${BASE}`,
    vendor,
    managementKey: vendor.addManagementKey(),
  });
}

function work(vendor: Vendor, { method, path: whole, query, bearer, contentType, text }: FakeRequest): Answer {
  if (!whole.startsWith(`${BASE}/`)) throw new Refusal(404, "Not found");
  if (bearer === undefined) throw new Refusal(401, "No auth credentials found");
  const path = decodeURIComponent(whole.slice(BASE.length));
  const body = parse(contentType, text);
  if (!isManagement(path)) return inferenceApi(vendor, { method, path, query, body, secret: bearer });
  if (!vendor.isManagementKey(bearer)) throw new Refusal(401, "Invalid management key");
  return managementApi(vendor, { method, path, query, body });
}

function parse(contentType: string, text: string): unknown {
  if (text === "") return undefined;
  if (!/^application\/json\b/.test(contentType)) throw new Refusal(400, "Expected a JSON body");
  try {
    return JSON.parse(text);
  } catch {
    throw new Refusal(400, "Malformed JSON in request body");
  }
}
