import type { Answer } from "../http-fake.ts";
import { checkFields, checkQuery, is, page, Refusal, type Version } from "./replies.ts";
import { type FakeKey, STATUSES, type Vendor } from "./vendor.ts";

/** One request after authentication. */
export interface AdminRequest {
  readonly method: string;
  /** What comes after `/v1/organizations`. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: unknown;
  readonly version: Version;
}

type Handler = (vendor: Vendor, request: AdminRequest, id: string) => unknown;

/** There is no create, and no delete: https://platform.claude.com/docs/en/manage-claude/admin-api-keys */
const ROUTES: readonly { readonly path: RegExp; readonly methods: Readonly<Record<string, Handler>> }[] = [
  { path: /^\/api_keys$/, methods: { GET: listKeys } },
  { path: /^\/api_keys\/([^/]+)$/, methods: { GET: getKey, POST: updateKey } },
  { path: /^\/workspaces\/([^/]+)$/, methods: { GET: getWorkspace } },
];

const CHANGES = { name: is.orNull(is.text), status: is.orNull(is.oneOf("active", "inactive", "archived")) };
const MOST_ROWS = 1000;

/** Answers one request of the Admin API, or throws a `Refusal`. */
export function adminApi(vendor: Vendor, request: AdminRequest): Answer {
  for (const { path, methods } of ROUTES) {
    const match = path.exec(request.path);
    if (match === null) continue;
    const handler = methods[request.method];
    if (handler === undefined) throw new Refusal(405, "Method Not Allowed");
    if (request.method !== "POST" && request.body !== undefined) throw new Refusal(400, `A ${request.method} request takes no body.`);
    return { status: 200, body: handler(vendor, request, match[1] ?? "") };
  }
  throw new Refusal(404, "Not found");
}

function listKeys(vendor: Vendor, { query, version }: AdminRequest): unknown {
  checkQuery(query, ["limit", "after_id", "before_id", "status", "workspace_id", "created_by_user_id"]);
  const [status, workspace] = [query.get("status"), query.get("workspace_id")];
  if (status !== null && !STATUSES.some((known) => known === status)) throw new Refusal(400, "status: Input is not valid");
  if (workspace !== null && !vendor.workspaces.has(workspace)) throw new Refusal(404, "Workspace not found");
  const wanted = vendor
    .everyKey()
    .filter((key) => status === null || vendor.statusOf(key) === status)
    .filter((key) => workspace === null || (key.workspace ?? vendor.defaultWorkspace) === workspace)
    .toReversed();
  return page(
    wanted.map((key) => keyRow(vendor, key, version)),
    query,
    MOST_ROWS,
  );
}

function getKey(vendor: Vendor, { query, version }: AdminRequest, id: string): unknown {
  checkQuery(query, []);
  return keyRow(vendor, vendor.key(id), version);
}

function updateKey(vendor: Vendor, { body, query, version }: AdminRequest, id: string): unknown {
  checkQuery(query, []);
  const key = vendor.key(id);
  const fields = checkFields(body, CHANGES);
  if (typeof fields["status"] === "string") vendor.setState(key, fields["status"] as FakeKey["state"]);
  if (typeof fields["name"] === "string") key.name = fields["name"];
  return keyRow(vendor, key, version);
}

function getWorkspace(vendor: Vendor, { query }: AdminRequest, id: string): unknown {
  checkQuery(query, []);
  const found = vendor.workspaces.get(id);
  if (found === undefined) throw new Refusal(404, "Workspace not found");
  const archived_at = found.archivedAt === null ? null : new Date(found.archivedAt).toISOString();
  return { type: "workspace", id, name: `Workspace ${id}`, archived_at, created_at: new Date(0).toISOString(), display_color: "#6C5BB9" };
}

/** A row of a listing. The older version says `workspace_id`, `null` for the default one; the newer one says `scope`. */
function keyRow(vendor: Vendor, key: FakeKey, version: Version) {
  const { id, name, hint, workspace, serviceAccount, createdAt, expiresAt } = key;
  return {
    type: "api_key",
    id,
    name,
    created_at: new Date(createdAt).toISOString(),
    created_by: { type: "user", id: "user_fake" },
    expires_at: expiresAt === null ? null : new Date(expiresAt).toISOString(),
    partial_key_hint: hint,
    status: vendor.statusOf(key),
    principal: serviceAccount === null ? null : { type: "service_account_actor", service_account_id: serviceAccount },
    ...(version === "2023-06-01"
      ? { workspace_id: workspace }
      : { scope: { type: "workspace", workspace_id: workspace ?? vendor.defaultWorkspace } }),
  };
}
