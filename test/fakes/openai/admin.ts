import type { Answer } from "../http-fake.ts";
import { ADMIN_KEY_ROUTES, type FakeAdminKey, page } from "./admin-keys.ts";
import { checkFields, checkQuery, is, Refusal } from "./replies.ts";
import type { FakeAccount, FakeKey, Vendor } from "./vendor.ts";

/** One request after authentication. */
export interface AdminRequest {
  readonly method: string;
  /** What comes after `/v1/organization`. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: unknown;
  readonly admin: FakeAdminKey;
}

type Handler = (vendor: Vendor, request: AdminRequest, id: string) => unknown;

/** The calls about one project: each path with what it does for each method. The last id of the path is handed in. */
const ROUTES: readonly { readonly path: RegExp; readonly methods: Readonly<Record<string, Handler>> }[] = [
  { path: /^\/projects\/([^/]+)\/service_accounts$/, methods: { GET: listAccounts, POST: createAccount } },
  { path: /^\/projects\/([^/]+)\/service_accounts\/([^/]+)$/, methods: { GET: getAccount, DELETE: deleteAccount } },
  { path: /^\/projects\/([^/]+)\/service_accounts\/([^/]+)\/api_keys$/, methods: { POST: createKey } },
  { path: /^\/projects\/([^/]+)\/api_keys$/, methods: { GET: listKeys } },
  { path: /^\/projects\/([^/]+)\/api_keys\/([^/]+)$/, methods: { GET: getKey, POST: updateKey, DELETE: deleteKey } },
];

/** Answers one request of the admin API, or throws a `Refusal`. */
export function adminApi(vendor: Vendor, request: AdminRequest): Answer {
  for (const { path, methods } of [...ADMIN_KEY_ROUTES, ...ROUTES]) {
    const match = path.exec(request.path);
    if (match === null) continue;
    const handler = methods[request.method];
    if (handler === undefined) throw new Refusal(405, `Not allowed to ${request.method} on this path.`, { code: "method_not_supported" });
    const [, first = "", second = first] = match;
    if (request.path.startsWith("/projects/") && first !== vendor.project)
      throw new Refusal(404, `No project found with ID '${first}'.`, { code: "not_found" });
    const { scopes } = request.admin;
    if (scopes === "none" || (scopes === "read" && request.method !== "GET")) {
      const missing = request.method === "GET" ? "api.management.read" : "api.management.write";
      throw new Refusal(403, `You have insufficient permissions for this operation. Missing scopes: ${missing}.`);
    }
    if (request.method !== "POST" && request.body !== undefined) throw new Refusal(400, `A ${request.method} request takes no body.`);
    return { status: 200, body: handler(vendor, request, second) };
  }
  throw new Refusal(404, `Invalid URL (${request.method} /v1/organization${request.path})`);
}

function createAccount(vendor: Vendor, { body, query, admin }: AdminRequest) {
  checkQuery(query, []);
  const known = { name: is.text, create_service_account_only: is.orNull(is.flag), expires_in_seconds: is.orNull(is.count) };
  const fields = checkFields(body, known, ["name"]);
  const alone = fields["create_service_account_only"] === true;
  const lifetime = checkLifetime(vendor, fields["expires_in_seconds"], !alone);
  if (alone && lifetime.lifetimeSeconds !== undefined)
    throw new Refusal(400, "expires_in_seconds needs a key.", { param: "expires_in_seconds" });
  const account = vendor.addAccount(String(fields["name"]), alone ? "none" : "member");
  // The key that comes with an account is named by the vendor, not after the account (example of the vendor's specification).
  const key = alone ? null : vendor.addKey(account, "Secret Key", { ...lifetime, by: admin.id });
  return { ...accountRow(account), api_key: key && createdKey(key) };
}

function createKey(vendor: Vendor, { body, query, admin }: AdminRequest, id: string) {
  checkQuery(query, []);
  const account = vendor.account(id);
  const fields = checkFields(body, { name: is.text, scopes: is.texts, expires_in_seconds: is.orNull(is.count) });
  const scopes = fields["scopes"] as readonly string[] | undefined;
  const more = {
    ...(scopes && { scopes: checkScopes(scopes) }),
    ...checkLifetime(vendor, fields["expires_in_seconds"], true),
    by: admin.id,
  };
  return createdKey(vendor.addKey(account, String(fields["name"] ?? "Secret Key"), more));
}

function updateKey(vendor: Vendor, { body, query }: AdminRequest, id: string) {
  checkQuery(query, []);
  const key = vendor.key(id);
  const fields = checkFields(body, { scopes: is.texts, expires_in_seconds: is.count });
  if (Object.keys(fields).length === 0) throw new Refusal(400, "Provide at least one of scopes or expires_in_seconds.");
  if (key.expiresAt !== null && key.expiresAt <= Date.now()) throw new Refusal(400, "Expired API keys cannot be updated.");
  const { lifetimeSeconds } = checkLifetime(vendor, fields["expires_in_seconds"], false);
  if (fields["scopes"] !== undefined) key.scopes = checkScopes(fields["scopes"] as readonly string[]);
  if (lifetimeSeconds !== undefined) key.expiresAt = Date.now() + lifetimeSeconds * 1000;
  return keyRow(key);
}

function listKeys(vendor: Vendor, { query }: AdminRequest) {
  checkQuery(query, ["limit", "after", "owner_project_access"]);
  const access = query.get("owner_project_access") ?? "active";
  if (!["active", "inactive", "any"].includes(access))
    throw new Refusal(400, "Invalid owner_project_access.", { param: "owner_project_access" });
  const rows = vendor.listed().map(keyRow);
  return page(
    rows.filter((row) => access === "any" || row.owner_project_access === access),
    query,
  );
}

function listAccounts(vendor: Vendor, { query }: AdminRequest) {
  checkQuery(query, ["limit", "after"]);
  return page(vendor.listedAccounts().map(accountRow), query);
}

function getKey(vendor: Vendor, { query }: AdminRequest, id: string) {
  checkQuery(query, []);
  return keyRow(vendor.key(id));
}

function getAccount(vendor: Vendor, { query }: AdminRequest, id: string) {
  checkQuery(query, []);
  return accountRow(vendor.account(id));
}

function deleteKey(vendor: Vendor, { query }: AdminRequest, id: string) {
  checkQuery(query, []);
  vendor.deleteKey(id);
  return { object: "organization.project.api_key.deleted", id, deleted: true };
}

function deleteAccount(vendor: Vendor, { query }: AdminRequest, id: string) {
  checkQuery(query, []);
  vendor.deleteAccount(id);
  return { object: "organization.project.service_account.deleted", id, deleted: true };
}

function checkScopes(scopes: readonly string[]): readonly string[] {
  for (const scope of scopes) {
    if (!/^(api|model)\.[a-z_.]+$/.test(scope)) throw new Refusal(400, "Unknown scope.", { param: "scopes", code: "invalid_value" });
  }
  return scopes;
}

function checkLifetime(vendor: Vendor, value: unknown, creates: boolean): { lifetimeSeconds?: number } {
  const seconds = typeof value === "number" ? value : undefined;
  const limit = vendor.rules.maxLifetimeSeconds;
  if (limit !== null && ((creates && seconds === undefined) || Number(seconds) > limit)) {
    throw new Refusal(400, `API keys must expire within ${limit} seconds.`, { param: "expires_in_seconds" });
  }
  return seconds === undefined ? {} : { lifetimeSeconds: seconds };
}

function createdKey(key: FakeKey) {
  const object = "organization.project.service_account.api_key";
  return {
    object,
    id: key.id,
    value: key.secret,
    name: key.name,
    created_at: seconds(key.createdAt),
    expires_at: maybeSeconds(key.expiresAt),
  };
}

function keyRow(key: FakeKey) {
  const { id, name, role, createdAt } = key.account;
  return {
    object: "organization.project.api_key",
    id: key.id,
    name: key.name,
    redacted_value: key.redacted,
    created_at: seconds(key.createdAt),
    last_used_at: maybeSeconds(key.lastUsedAt),
    expires_at: maybeSeconds(key.expiresAt),
    owner: { type: "service_account", service_account: { id, name, role, created_at: seconds(createdAt) } },
    owner_project_access: role === "none" ? "inactive" : "active",
  };
}

function accountRow({ id, name, role, createdAt }: FakeAccount) {
  return { object: "organization.project.service_account", id, name, role, created_at: seconds(createdAt) };
}

function seconds(at: number): number {
  return Math.floor(at / 1000);
}

function maybeSeconds(at: number | null): number | null {
  return at === null ? null : seconds(at);
}
