import type { Fields } from "./replies.ts";
import type { FakeKey } from "./vendor.ts";

const iso = (at: number | null): string | null => (at === null ? null : new Date(at).toISOString());
const nameOf = ({ secret }: FakeKey): string => `sk-...${secret.slice(-4)}`;

/** What is in a row where a create said nothing of it. */
const UNBOUNDED = {
  models: [],
  aliases: {},
  config: {},
  user_id: null,
  team_id: null,
  agent_id: null,
  project_id: null,
  metadata: {},
  permissions: {},
  allowed_routes: [],
  allowed_cache_controls: [],
  access_group_ids: [],
  router_settings: {},
  max_parallel_requests: null,
  tpm_limit: null,
  rpm_limit: null,
  tpd_limit: null,
  max_budget: null,
  budget_duration: null,
  budget_id: null,
  budget_limits: null,
  model_max_budget: {},
  budget_fallbacks: {},
  object_permission: null,
};

/** What every view of a key has. */
function common(key: FakeKey) {
  const { organization_id: _, budget_limits: windows, object_permission: permission, ...rights } = key.rights;
  return {
    ...UNBOUNDED,
    ...rights,
    budget_limits: Array.isArray(windows) ? windows.map((window) => ({ ...window, reset_at: "2099-01-01T00:00:00+00:00" })) : null,
    ...(permission != null && { object_permission: { ...NO_PERMISSION, ...permission } }),
    object_permission_id: permission == null ? null : NO_PERMISSION.object_permission_id,
    key_name: nameOf(key),
    key_alias: key.alias,
    key_type: "default",
    spend: key.spend,
    total_spend: 0,
    model_spend: {},
    soft_budget_cooldown: false,
    blocked: key.blocked,
    expires: iso(key.expiresAt),
    budget_reset_at: key.rights["budget_duration"] == null ? null : "2099-01-01T00:00:00Z",
    created_at: iso(key.createdAt),
    created_by: "default_user_id",
    updated_at: iso(key.createdAt),
    updated_by: "default_user_id",
    settings_updated_at: null,
    last_active: iso(key.lastActive),
    litellm_budget_table: null,
    rotation_count: 0,
    auto_rotate: false,
    rotation_interval: null,
    last_rotation_at: null,
    key_rotation_at: null,
  };
}

const NO_PERMISSION = {
  object_permission_id: "00000000-0000-4000-8000-000000000001",
  mcp_servers: [],
  mcp_access_groups: [],
  mcp_tool_permissions: null,
  vector_stores: [],
  agents: [],
  agent_access_groups: [],
  models: [],
  mcp_toolsets: [],
  blocked_tools: [],
  search_tools: [],
  mcp_tool_search_enabled: null,
  skills: [],
};

/** In a listing, and in the answer to a block: with the hash, and without the organization. */
export function listedRow(key: FakeKey) {
  return { ...common(key), token: key.token, org_id: null };
}

/** In `/key/info`: without the hash, and with what stands in the archive of one that was deleted. */
export function infoRow(key: FakeKey | (FakeKey & { readonly deletedAt: number })) {
  if ("deletedAt" in key)
    return { ...common(key), org_id: null, status: "deleted", deleted_at: iso(key.deletedAt), deleted_by: "default_user_id" };
  const expired = key.expiresAt !== null && key.expiresAt <= Date.now();
  const status = key.blocked === true ? "revoked" : expired ? "expired" : "active";
  return { ...common(key), organization_id: key.rights["organization_id"] ?? null, status };
}

/** In the answer to an unblock: as in the database. */
export function storedRow(key: FakeKey) {
  return { ...common(key), token: key.token, organization_id: key.rights["organization_id"] ?? null };
}

/** What a create does not answer with. */
const NOT_CREATED = [
  "total_spend",
  "model_spend",
  "object_permission_id",
  "soft_budget_cooldown",
  "budget_reset_at",
  "settings_updated_at",
  "last_active",
  "rotation_count",
  "auto_rotate",
  "rotation_interval",
  "last_rotation_at",
  "key_rotation_at",
];

/** In the answer to a create: with the secret, and with the alias that was asked for, whatever is stored. */
export function createdRow(key: FakeKey, asked: Fields) {
  const row = Object.fromEntries(Object.entries(common(key)).filter(([name]) => !NOT_CREATED.includes(name)));
  return {
    ...row,
    key: key.secret,
    token: key.token,
    token_id: key.token,
    key_alias: asked["key_alias"] ?? null,
    duration: null,
    organization_id: key.rights["organization_id"] ?? null,
    object_permission: null,
  };
}
