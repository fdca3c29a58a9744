import type { KeyInfo } from "./replies.ts";
import type { Settings } from "./settings.ts";

/**
 * What bounds a key or says whose it is, by the names that a key's row and a create have in common. Limits for single models,
 * guardrails and tags stand in `metadata`. What would make the proxy rotate the key by itself is not here.
 */
const INHERITED = [
  "models",
  "aliases",
  "config",
  "user_id",
  "team_id",
  "agent_id",
  "project_id",
  "organization_id",
  "metadata",
  "permissions",
  "allowed_routes",
  "allowed_cache_controls",
  "access_group_ids",
  "router_settings",
  "max_parallel_requests",
  "tpm_limit",
  "rpm_limit",
  "tpd_limit",
  "max_budget",
  "budget_duration",
  "budget_id",
  "model_max_budget",
  "budget_fallbacks",
] as const;

/**
 * What a new key may do: what the settings say, else what the key may that it replaces. What is left out has no bound. `now`, in
 * Unix milliseconds, is the begin of a life whose begin the proxy does not know: the new key never gets more than is left.
 */
export function rightsOf(settings: Settings, from: KeyInfo | undefined, now: number): Readonly<Record<string, unknown>> {
  const lifetimeMs = settings.expiresIn ?? lifeOf(from, now);
  const rights = {
    ...(from !== undefined && inheritedFrom(from)),
    ...(settings.models && { models: settings.models }),
    ...(settings.team !== undefined && { team_id: settings.team }),
    ...(settings.user !== undefined && { user_id: settings.user }),
    ...(lifetimeMs !== undefined && { duration: `${Math.max(1, Math.round(lifetimeMs / 1000))}s` }),
  };
  return withoutEmpty(rights);
}

function lifeOf(from: KeyInfo | undefined, now: number): number | undefined {
  return from?.expires ? from.expires.getTime() - (from.created_at?.getTime() ?? now) : undefined;
}

function inheritedFrom(row: KeyInfo): Readonly<Record<string, unknown>> {
  const { budget_limits: windows, object_permission: permission } = row;
  return {
    ...Object.fromEntries(INHERITED.map((field) => [field, row[field]])),
    // Else each rotation would begin the budget anew.
    ...(typeof row["max_budget"] === "number" && { spend: row["spend"] }),
    // When a window begins anew is the proxy's to say, and so is the id of a row.
    budget_limits: windows?.map(({ reset_at: _, ...window }) => window),
    object_permission: permission && withoutEmpty({ ...permission, object_permission_id: undefined }),
  };
}

/** An empty list or object says the same as none. */
function withoutEmpty(fields: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => {
      if (value === undefined || value === null) return false;
      return typeof value !== "object" || Object.keys(value).length > 0;
    }),
  );
}
