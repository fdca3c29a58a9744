import { checkFields, checkQuery, is, Refusal } from "./replies.ts";
import type { Vendor } from "./vendor.ts";

/** An admin key as the fake vendor knows it. All times are Unix milliseconds. */
export interface FakeAdminKey {
  readonly id: string;
  readonly name: string;
  readonly secret: string;
  readonly redacted: string;
  readonly createdAt: number;
  readonly expiresAt: number | null;
  lastUsedAt: number | null;
  deletedAt: number | null;
  /** What it may do. A call makes one that may do `all`; the others are made by a person. */
  scopes: "all" | "read" | "none";
}

export interface AdminKeyRequest {
  readonly query: URLSearchParams;
  readonly body: unknown;
}

type Handler = (vendor: Vendor, request: AdminKeyRequest, id: string) => unknown;

/** The calls about admin keys, and the listing of projects: each path with what it does for each method. */
export const ADMIN_KEY_ROUTES: readonly { readonly path: RegExp; readonly methods: Readonly<Record<string, Handler>> }[] = [
  { path: /^\/admin_api_keys$/, methods: { GET: list, POST: create } },
  { path: /^\/admin_api_keys\/([^/]+)$/, methods: { GET: get, DELETE: remove } },
  { path: /^\/projects$/, methods: { GET: listProjects } },
];

function list(vendor: Vendor, { query }: AdminKeyRequest) {
  checkQuery(query, ["limit", "after", "order"]);
  const order = query.get("order") ?? "desc";
  if (order !== "asc" && order !== "desc") throw new Refusal(400, "Invalid order.", { param: "order" });
  const rows = vendor.admins.listed().map(row);
  return page(order === "desc" ? rows : rows.reverse(), query);
}

function create(vendor: Vendor, { query, body }: AdminKeyRequest) {
  checkQuery(query, []);
  const fields = checkFields(body, { name: is.text, expires_in_seconds: is.count }, ["name"]);
  const seconds = fields["expires_in_seconds"];
  const key = vendor.admins.add(String(fields["name"]), typeof seconds === "number" ? { lifetimeSeconds: seconds } : {});
  return { ...row(key), value: key.secret };
}

function get(vendor: Vendor, { query }: AdminKeyRequest, id: string) {
  checkQuery(query, []);
  return row(vendor.admins.byId(id));
}

function remove(vendor: Vendor, { query }: AdminKeyRequest, id: string) {
  checkQuery(query, []);
  vendor.admins.delete(id);
  return { object: "organization.admin_api_key.deleted", id, deleted: true };
}

function listProjects({ project }: Vendor, { query }: AdminKeyRequest) {
  checkQuery(query, ["limit", "after", "include_archived"]);
  return page([{ object: "organization.project", id: project, name: "fake", created_at: 1, archived_at: null, status: "active" }], query);
}

function row(key: FakeAdminKey) {
  const owner = { type: "user", object: "organization.user", id: "user_fake", name: "Somebody", created_at: 1, role: "owner" };
  return {
    object: "organization.admin_api_key",
    id: key.id,
    name: key.name,
    redacted_value: key.redacted,
    created_at: inSeconds(key.createdAt),
    last_used_at: key.lastUsedAt === null ? null : inSeconds(key.lastUsedAt),
    expires_at: key.expiresAt === null ? null : inSeconds(key.expiresAt),
    owner,
  };
}

/** One page of a listing, as all listings of the admin API give it. */
export function page<Row extends { readonly id: string }>(rows: readonly Row[], query: URLSearchParams) {
  const limit = Number(query.get("limit") ?? 20);
  if (!Number.isInteger(limit) || limit < 1 || limit > 100) throw new Refusal(400, "limit must be between 1 and 100.", { param: "limit" });
  const after = query.get("after");
  const index = after === null ? -1 : rows.findIndex(({ id }) => id === after);
  if (after !== null && index < 0) throw new Refusal(400, "Invalid cursor.", { param: "after" });
  const data = rows.slice(index + 1, index + 1 + limit);
  const more = index + 1 + limit < rows.length;
  return { object: "list", data, first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null, has_more: more };
}

function inSeconds(at: number): number {
  return Math.floor(at / 1000);
}
