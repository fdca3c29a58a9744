import { unknownKey } from "./auth.ts";
import { type Fields, Refusal, refusal } from "./replies.ts";
import type { FakeKey, Vendor } from "./vendor.ts";

const MODELS = ["fake-1", "fake-2"];

/** What a key asks with itself. */
export interface InferenceRequest {
  readonly replica: number;
  readonly bearer: string;
  readonly path: string;
  readonly body: unknown;
}

/** The models that a key may call. Does not count as a use. */
export function models(vendor: Vendor, request: InferenceRequest) {
  const allowed = accept(vendor, request)?.rights["models"];
  const shown = MODELS.filter((model) => !Array.isArray(allowed) || allowed.length === 0 || allowed.includes(model));
  return { data: shown.map((id) => ({ id, object: "model", created: 1_677_610_602, owned_by: "openai" })), object: "list" };
}

/** One answer of a model. */
export function chat(vendor: Vendor, request: InferenceRequest) {
  const key = accept(vendor, request);
  const { model } = (request.body ?? {}) as Fields;
  const allowed = key?.rights["models"];
  if (key !== undefined) vendor.noteUse(key.token);
  if (Array.isArray(allowed) && allowed.length > 0 && !allowed.includes(model)) {
    const message = `The requested model '${model}' is not available for this API key, or the model name is invalid.`;
    throw refusal(403, "key_model_access_denied", message, "model");
  }
  if (!MODELS.includes(String(model)))
    throw new Refusal(400, {
      error: { message: `Invalid model name passed in model=${model}`, type: "invalid_request_error", param: "model", code: "400" },
    });
  const choices = [{ finish_reason: "stop", index: 0, message: { content: "pong", role: "assistant" } }];
  const usage = { completion_tokens: 20, prompt_tokens: 10, total_tokens: 30 };
  return { id: "chatcmpl-fake", created: 1_677_610_602, model, object: "chat.completion", choices, usage };
}

/** The key that asks, as the replica that was asked knows it; `undefined` for the master key. Refusals of a known key count as uses. */
function accept(vendor: Vendor, { replica, bearer, path }: InferenceRequest): FakeKey | undefined {
  if (bearer === vendor.masterKey) return undefined;
  const key = vendor.seenBy(replica, bearer);
  if (key === undefined) throw unknownKey(bearer);
  const refused = whyRefused(key, path);
  if (refused === undefined) return key;
  vendor.noteUse(key.token);
  throw refused;
}

function whyRefused(key: FakeKey, path: string): Refusal | undefined {
  if (key.blocked === true)
    return refusal(401, "auth_error", "Authentication Error, Key is blocked. Update via `/key/unblock` if you're an admin.", "None");
  if (key.expiresAt !== null && key.expiresAt <= Date.now()) {
    const message = `Authentication Error - Expired Key. Key Expiry time ${new Date(key.expiresAt).toISOString()}`;
    return refusal(401, "expired_key", message, "sk-...0001");
  }
  const budget = key.rights["max_budget"];
  if (typeof budget === "number" && key.spend >= budget)
    return refusal(422, "budget_exceeded", `Budget has been exceeded! Key=${key.alias} Current cost: ${key.spend}, Max budget: ${budget}`);
  const routes = key.rights["allowed_routes"];
  if (!Array.isArray(routes) || routes.length === 0 || routes.includes(path)) return undefined;
  const detail = `Virtual key is not allowed to call this route. Only allowed to call routes: ${JSON.stringify(routes)}. Tried to call route: ${path}`;
  return new Refusal(403, { detail });
}
