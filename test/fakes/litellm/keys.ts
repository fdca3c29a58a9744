import { setTimeout as sleep } from "node:timers/promises";
import { checkFields, numberOf, refusal, unfit, wrapped } from "./replies.ts";
import { createdRow, infoRow, listedRow, storedRow } from "./rows.ts";
import { hashOf, type Vendor } from "./vendor.ts";

/** One request of a proxy admin. */
export interface KeyRequest {
  readonly replica: number;
  readonly query: URLSearchParams;
  readonly body: unknown;
}

type Handler = (vendor: Vendor, request: KeyRequest) => unknown;

/** The key API: each path with its one method. */
export const KEY_ROUTES: Readonly<Record<string, { readonly method: string; readonly handler: Handler }>> = {
  "/key/generate": { method: "POST", handler: generate },
  "/key/list": { method: "GET", handler: list },
  "/key/info": { method: "GET", handler: info },
  "/key/block": { method: "POST", handler: (vendor, request) => setBlocked(vendor, request, true) },
  "/key/unblock": { method: "POST", handler: (vendor, request) => setBlocked(vendor, request, false) },
  "/key/delete": { method: "POST", handler: remove },
};

/** Fields of a create that go into the row as they are. */
const RIGHTS = {
  models: "list",
  aliases: "dict",
  config: "dict",
  user_id: "text",
  team_id: "text",
  agent_id: "text",
  project_id: "text",
  organization_id: "text",
  metadata: "dict",
  permissions: "dict",
  allowed_routes: "list",
  allowed_cache_controls: "list",
  access_group_ids: "list",
  router_settings: "dict",
  max_parallel_requests: "number",
  tpm_limit: "number",
  rpm_limit: "number",
  tpd_limit: "number",
  max_budget: "number",
  budget_duration: "text",
  budget_id: "text",
  budget_limits: "list",
  model_max_budget: "dict",
  budget_fallbacks: "dict",
  object_permission: "dict",
} as const;
const GENERATE = { ...RIGHTS, key: "text", key_alias: "text", duration: "text", spend: "number" } as const;
const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };
const SHORTEST_KEY = 16;

async function generate(vendor: Vendor, { body }: KeyRequest) {
  const fields = checkFields(body, GENERATE, (name) => vendor.ignored.push(name));
  const alias = (fields["key_alias"] as string | null | undefined) ?? null;
  if (alias !== null && /[/\\]|\.\./.test(alias)) throw refusal(400, "bad_request_error", "Invalid key_alias", "key_alias");
  const budgetLength = fields["budget_duration"];
  if (typeof budgetLength === "string" && lengthOf(budgetLength) === undefined)
    throw wrapped(400, `Invalid budget_duration '${budgetLength}'. Use a format like '1h', '24h', '7d', or '30d'.`);
  mustBeFree(vendor, alias);
  if (vendor.rules.aliasRaceMs > 0) await sleep(vendor.rules.aliasRaceMs);
  const secret = fields["key"];
  if (typeof secret === "string") checkSecret(vendor, secret);
  const seconds = typeof fields["duration"] === "string" ? lengthOf(fields["duration"]) : null;
  if (seconds === undefined) throw refusal(500, "internal_server_error", "Invalid duration format");
  const key = vendor.addKey(alias, {
    ...(typeof secret === "string" && { secret }),
    rights: Object.fromEntries(Object.entries(fields).filter(([name]) => name in RIGHTS)),
    spend: typeof fields["spend"] === "number" ? fields["spend"] : 0,
    expiresAt: seconds === null ? null : Date.now() + 1000 * seconds,
  });
  return createdRow(key, fields);
}

function mustBeFree(vendor: Vendor, alias: string | null): void {
  if (alias === null || vendor.withAlias(alias).length === 0) return;
  const message = `Key with alias '${alias}' already exists. Unique key aliases across all keys are required.`;
  throw refusal(400, "bad_request_error", message, "key_alias");
}

function checkSecret(vendor: Vendor, secret: string): void {
  if (vendor.rules.noCustomKeys)
    throw wrapped(403, "Custom API key values are disabled by your administrator. Keys must be auto-generated.");
  if (!secret.startsWith("sk-")) {
    const shown = `${secret.slice(0, 4)}****${secret.slice(-4)}`;
    throw wrapped(400, `Invalid key format. LiteLLM Virtual Key must start with 'sk-'. Received: ${shown}`);
  }
  if (secret.length < SHORTEST_KEY)
    throw wrapped(400, `Invalid key format. LiteLLM Virtual Key must be at least ${SHORTEST_KEY} characters long.`);
}

function lengthOf(text: string): number | undefined {
  const [, count, unit = ""] = /^(\d+)(s|m|h|d|w)$/.exec(text) ?? [];
  return count === undefined ? undefined : Number(count) * (SECONDS[unit] ?? 0);
}

/** Hashes alone, unless full objects are asked for. Keys that have expired stay. */
function list(vendor: Vendor, { query }: KeyRequest) {
  const page = numberOf(query, "page", { otherwise: 1, most: Number.MAX_SAFE_INTEGER });
  const size = numberOf(query, "size", { otherwise: 10, most: 100 });
  const alias = query.get("key_alias");
  const found = vendor.everyKey().filter((key) => alias === null || key.alias === alias);
  const shown = found.slice((page - 1) * size, page * size);
  const keys = query.get("return_full_object") === "true" ? shown.map(listedRow) : shown.map(({ token }) => token);
  return { keys, total_count: found.length, current_page: page, total_pages: Math.ceil(found.length / size) };
}

/** Deleted keys are shown, too, out of an archive. */
function info(vendor: Vendor, { query }: KeyRequest) {
  const asked = query.get("key") ?? "";
  const token = hashed(asked);
  const key = vendor.keys.get(token) ?? vendor.archive.get(token);
  if (key === undefined) throw refusal(404, "not_found_error", "Key not found in database", "key");
  return { key: asked, info: infoRow(key) };
}

function setBlocked(vendor: Vendor, { body, replica }: KeyRequest, blocked: boolean) {
  const asked = textField(body, "key");
  if (!asked.startsWith("sk-") && !/^[0-9a-f]{64}$/.test(asked)) throw refusal(400, "bad_request_error", "Invalid key format.", "key");
  const key = vendor.keys.get(hashed(asked));
  if (key === undefined) throw refusal(404, "not_found_error", "Key not found.", "key");
  key.blocked = blocked;
  vendor.forget(replica, key.token);
  return blocked ? listedRow(key) : storedRow(key);
}

/** One that is there is enough, whatever else was named. */
function remove(vendor: Vendor, { body, replica }: KeyRequest) {
  const { keys, key_aliases: aliases } = checkFields(body, { keys: "list", key_aliases: "list" }, () => {}) as Partial<
    Record<string, readonly string[] | null>
  >;
  if (!keys?.length && !aliases?.length)
    throw unfit(["body"], "value_error", "Value error, At least one of 'keys' or 'key_aliases' must be provided.");
  const tokens = keys?.length ? keys.map(hashed) : (aliases ?? []).flatMap((alias) => vendor.withAlias(alias).map(({ token }) => token));
  if (tokens.filter((token) => vendor.remove(replica, token)).length === 0) throw wrapped(404, "No keys found");
  return { deleted_keys: keys?.length ? keys : aliases };
}

function textField(body: unknown, name: string): string {
  const value = checkFields(body, { [name]: "text" }, () => {})[name];
  if (typeof value !== "string") throw unfit(["body", name], "missing", "Field required");
  return value;
}

const hashed = (keyOrHash: string): string => (keyOrHash.startsWith("sk-") ? hashOf(keyOrHash) : keyOrHash);
