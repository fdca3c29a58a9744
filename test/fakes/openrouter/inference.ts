import type { Answer } from "../http-fake.ts";
import { labelOf, usageOf } from "./management.ts";
import { checkFields, checkQuery, is, Refusal } from "./replies.ts";
import { DEFAULT_WORKSPACE, remaining, type Vendor } from "./vendor.ts";

const MODEL = "fake/model-1";

/** What a key asks with itself. */
export interface InferenceRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: unknown;
  readonly secret: string;
}

/** Answers one request that is not about management, or throws a `Refusal`. */
export function inferenceApi(vendor: Vendor, { method, path, query, body: sent, secret }: InferenceRequest): Answer {
  if (path === "/key" && method === "GET") return { status: 200, body: { data: ownRow(vendor, secret) } };
  if (path !== "/chat/completions" || method !== "POST") throw new Refusal(404, "Not found");
  checkQuery(query, []);
  if (vendor.isManagementKey(secret)) throw new Refusal(403, "Management keys cannot be used for completions");
  const key = vendor.accepted(secret);
  if (remaining(key) === 0) throw new Refusal(403, "Key limit exceeded (total limit)");
  if (vendor.rules.noCredit) throw new Refusal(402, "Insufficient credits");
  const fields = checkFields(sent, { model: is.text, messages: Array.isArray, max_tokens: is.amount, stream: is.flag }, [
    "model",
    "messages",
  ]);
  if (fields["model"] !== MODEL) throw new Refusal(400, `${fields["model"]} is not a valid model ID`);
  const message = { role: "assistant", content: "pong" };
  const choices = [{ index: 0, message, finish_reason: "stop" }];
  const body = { id: "gen-fake", object: "chat.completion", created: 1, model: MODEL, system_fingerprint: null, choices };
  return { status: 200, body };
}

/** What a key is told about itself, with all that the vendor's client must find there. */
function ownRow(vendor: Vendor, secret: string) {
  const isManagement = vendor.isManagementKey(secret);
  const key = isManagement ? undefined : vendor.accepted(secret);
  if (key !== undefined && vendor.rules.noCredit) throw new Refusal(402, "Insufficient credits");
  const shown = key ?? { secret, limit: null, usage: 0 };
  return {
    label: labelOf(shown),
    limit: shown.limit,
    limit_remaining: remaining(shown),
    limit_reset: key?.limitReset ?? null,
    include_byok_in_limit: key?.includeByokInLimit ?? false,
    ...usageOf(shown),
    is_free_tier: false,
    is_management_key: isManagement,
    is_provisioning_key: isManagement,
    rate_limit: { requests: -1, interval: "10s", note: "This field is deprecated and safe to ignore." },
    expires_at: key?.expiresAt == null ? null : new Date(key.expiresAt).toISOString(),
    creator_user_id: key?.creatorUserId ?? null,
    workspace_id: key?.workspaceId ?? DEFAULT_WORKSPACE,
    organization_id: null,
    allowed_data_regions: [],
    free_model_daily_requests: { limit: 50, remaining: 50, used: 0 },
  };
}
