import { type Answer, type FakeRequest, type HttpFake, methodAndTarget, startHttpFake } from "./http-fake.ts";
import { mustBeAdmin } from "./litellm/auth.ts";
import { chat, models } from "./litellm/inference.ts";
import { KEY_ROUTES } from "./litellm/keys.ts";
import { Refusal, refusal, unfit } from "./litellm/replies.ts";
import { makeVendor, type Vendor } from "./litellm/vendor.ts";

export interface FakeLiteLlm extends HttpFake {
  readonly vendor: Vendor;
}

/** Starts a LiteLLM proxy 1.106 on a loopback port, with its database in memory; `test/compared/litellm.test.ts` compares it. */
export async function startFakeLiteLlm(masterKey = "sk-canary-master-0001"): Promise<FakeLiteLlm> {
  const vendor = makeVendor(masterKey);
  const server = await startHttpFake({
    answer: (request) => work(vendor, request),
    refuse: (status, message) => refusal(status, "internal_server_error", message).answer,
    seen: methodAndTarget,
    reset: () => vendor.reset(),
  });
  return Object.assign(server, { vendor });
}

const INFERENCE: Readonly<Record<string, { readonly method: string; readonly handler: typeof chat | typeof models }>> = {
  "/v1/models": { method: "GET", handler: models },
  "/v1/chat/completions": { method: "POST", handler: chat },
};

async function work(vendor: Vendor, { method, path, query, bearer, text }: FakeRequest): Promise<Answer> {
  const replica = vendor.nextReplica();
  const route = KEY_ROUTES[path] ?? INFERENCE[path];
  if (route === undefined) throw new Refusal(404, { detail: "Not Found" });
  if (route.method !== method) throw new Refusal(405, { detail: "Method Not Allowed" });
  const body = parse(text);
  if (bearer === undefined)
    throw refusal(401, "auth_error", "Authentication Error, Malformed API Key passed in. Ensure Key has `Bearer ` prefix.", "None");
  const admin = KEY_ROUTES[path];
  if (admin !== undefined) {
    mustBeAdmin(vendor, { replica, path, bearer });
    return { status: 200, body: await admin.handler(vendor, { replica, query, body }) };
  }
  return { status: 200, body: INFERENCE[path]?.handler(vendor, { replica, bearer, path, body }) };
}

function parse(text: string): unknown {
  if (text === "") return undefined;
  try {
    return JSON.parse(text);
  } catch {
    throw unfit(["body", 1], "json_invalid", "JSON decode error");
  }
}
