import type { Answer } from "../http-fake.ts";
import { checkFields, checkQuery, is, Refusal } from "./replies.ts";
import { DEFAULT_WORKSPACE, type FakeKey, remaining, type Vendor } from "./vendor.ts";

/** One request after sign-in. */
export interface ManagementRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: unknown;
}

type Handler = (vendor: Vendor, request: ManagementRequest, id: string) => unknown;

/** The management API: each path with what it does for each method. The group of the path is handed in. */
const ROUTES: readonly { readonly path: RegExp; readonly methods: Readonly<Record<string, Handler>> }[] = [
  { path: /^\/keys$/, methods: { GET: listKeys, POST: createKey } },
  { path: /^\/keys\/([^/]+)$/, methods: { GET: getKey, PATCH: updateKey, DELETE: deleteKey } },
  { path: /^\/guardrails\/assignments\/keys$/, methods: { GET: listAssignments } },
  { path: /^\/guardrails\/([^/]+)\/assignments\/keys$/, methods: { POST: assign } },
];

const PAGE_SIZE = 100;

export const isManagement = (path: string): boolean => /^\/(keys|guardrails)(\/|$)/.test(path);

/** Answers one request of the management API, or throws a `Refusal`. */
export function managementApi(vendor: Vendor, request: ManagementRequest): Answer {
  if (!vendor.rules.hasGuardrails && request.path.startsWith("/guardrails")) throw new Refusal(404, "Not found");
  for (const { path, methods } of ROUTES) {
    const match = path.exec(request.path);
    const handler = methods[request.method];
    if (match === null || handler === undefined) continue;
    const takesBody = request.method === "POST" || request.method === "PATCH";
    if (!takesBody && request.body !== undefined) throw new Refusal(400, `A ${request.method} request takes no body`);
    const body = handler(vendor, request, match[1] ?? "");
    return { status: handler === createKey ? 201 : 200, body };
  }
  throw new Refusal(404, "Not found");
}

const LIMITS = { limit: is.orNull(is.amount), limit_reset: is.orNull(is.reset), include_byok_in_limit: is.flag };

function createKey(vendor: Vendor, { body, query }: ManagementRequest) {
  checkQuery(query, []);
  const more = { expires_at: is.orNull(is.time), workspace_id: is.text, creator_user_id: is.orNull(is.text), external: is.external };
  const fields = checkFields(body, { name: is.text, ...LIMITS, ...more }, ["name"]);
  const workspaceId = String(fields["workspace_id"] ?? DEFAULT_WORKSPACE);
  if (!vendor.workspaces.has(workspaceId)) throw new Refusal(400, "Workspace not found");
  const external = fields["external"] as { user: string } | undefined;
  const key = vendor.addKey(String(fields["name"]), {
    workspaceId,
    limit: (fields["limit"] as number | undefined) ?? null,
    limitReset: (fields["limit_reset"] as string | undefined) ?? null,
    includeByokInLimit: fields["include_byok_in_limit"] === true,
    expiresAt: typeof fields["expires_at"] === "string" ? Date.parse(fields["expires_at"]) : null,
    ...(typeof fields["creator_user_id"] === "string" && { creatorUserId: fields["creator_user_id"] }),
    ...(external && { externalUser: external.user }),
  });
  return { key: key.secret, data: keyRow(key) };
}

/** Newest first, or as they were used last, pages of 100; the keys of one workspace, and without a word the disabled ones are hidden. */
function listKeys(vendor: Vendor, { query }: ManagementRequest) {
  checkQuery(query, ["offset", "include_disabled", "workspace_id"]);
  const offset = Number(query.get("offset") ?? 0);
  if (!Number.isInteger(offset) || offset < 0) throw new Refusal(400, "offset: Invalid input");
  const withDisabled = query.get("include_disabled") ?? "false";
  if (withDisabled !== "true" && withDisabled !== "false") throw new Refusal(400, "include_disabled: Invalid input");
  const workspace = query.get("workspace_id") ?? DEFAULT_WORKSPACE;
  const shown = vendor.everyKey().filter((key) => key.workspaceId === workspace && (withDisabled === "true" || !key.disabled));
  const from = vendor.rules.pages ? offset : 0;
  const page = vendor.inOrder(shown).slice(from, from + PAGE_SIZE);
  return { data: page.map(keyRow) };
}

function getKey(vendor: Vendor, { query }: ManagementRequest, hash: string) {
  checkQuery(query, []);
  return { data: keyRow(vendor.key(hash)) };
}

/** The expiry cannot be changed. */
function updateKey(vendor: Vendor, { body, query }: ManagementRequest, hash: string) {
  checkQuery(query, []);
  const key = vendor.key(hash);
  const fields = checkFields(body, { name: is.text, disabled: is.flag, ...LIMITS });
  const { name, disabled, limit, limit_reset: limitReset, include_byok_in_limit: includeByokInLimit } = fields as Record<string, never>;
  const changes = { name, disabled, limit, limitReset, includeByokInLimit };
  Object.assign(key, Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined)), { updatedAt: Date.now() });
  return { data: keyRow(key) };
}

function deleteKey(vendor: Vendor, { query }: ManagementRequest, hash: string) {
  checkQuery(query, []);
  vendor.key(hash).deleted = true;
  for (const hashes of vendor.guardrails.values()) hashes.delete(hash);
  return { deleted: true };
}

function listAssignments(vendor: Vendor, { query }: ManagementRequest) {
  checkQuery(query, ["offset", "limit"]);
  const [offset, limit] = [Number(query.get("offset") ?? 0), Number(query.get("limit") ?? 50)];
  if (!Number.isInteger(offset) || offset < 0) throw new Refusal(400, "offset: Invalid input");
  if (!Number.isInteger(limit) || limit < 1 || limit > 100) throw new Refusal(400, "limit: Invalid input");
  const every = [...vendor.guardrails].flatMap(([id, hashes]) => [...hashes].map((hash) => assignmentRow(id, vendor.key(hash))));
  return { data: every.slice(offset, offset + limit), total_count: every.length };
}

function assign(vendor: Vendor, { body, query }: ManagementRequest, id: string) {
  checkQuery(query, []);
  const bound = vendor.guardrails.get(id);
  if (bound === undefined) throw new Refusal(404, "Guardrail not found");
  const hashes = checkFields(body, { key_hashes: is.texts }, ["key_hashes"])["key_hashes"] as readonly string[];
  for (const { hash } of hashes.map(vendor.key)) {
    // A key holds at most one.
    for (const others of vendor.guardrails.values()) others.delete(hash);
    bound.add(hash);
  }
  return { assigned_count: hashes.length };
}

function assignmentRow(guardrailId: string, key: FakeKey) {
  return {
    id: `${guardrailId}/${key.hash}`,
    key_hash: key.hash,
    guardrail_id: guardrailId,
    key_name: key.name,
    key_label: labelOf(key),
    assigned_by: null,
    created_at: new Date(key.createdAt).toISOString(),
  };
}

export const labelOf = ({ secret }: Pick<FakeKey, "secret">): string => `${secret.slice(0, 12)}...${secret.slice(-4)}`;

/** What was spent, in each of the spans that the vendor counts. */
export function usageOf({ usage }: Pick<FakeKey, "usage">) {
  return {
    usage,
    usage_daily: usage,
    usage_weekly: usage,
    usage_monthly: usage,
    byok_usage: 0,
    byok_usage_daily: 0,
    byok_usage_weekly: 0,
    byok_usage_monthly: 0,
  };
}

/** A key as a listing shows it: never its secret. */
function keyRow(key: FakeKey) {
  return {
    hash: key.hash,
    name: key.name,
    label: labelOf(key),
    disabled: key.disabled,
    limit: key.limit,
    limit_remaining: remaining(key),
    limit_reset: key.limitReset,
    include_byok_in_limit: key.includeByokInLimit,
    ...usageOf(key),
    created_at: new Date(key.createdAt).toISOString(),
    updated_at: key.updatedAt === null ? null : new Date(key.updatedAt).toISOString(),
    expires_at: key.expiresAt === null ? null : new Date(key.expiresAt).toISOString(),
    workspace_id: key.workspaceId,
    creator_user_id: key.creatorUserId,
    external_user: key.externalUser,
  };
}
