import type { Answer } from "../http-fake.ts";
import { checkFields, checkQuery, isObject, isText, Refusal } from "./replies.ts";
import type { FakeKey, FakeOperation, Vendor } from "./vendor.ts";

/** One request after sign-in. */
export interface AdminRequest {
  readonly method: string;
  /** What comes after `/v2`. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: unknown;
  readonly readOnly: boolean;
}

type Handler = (vendor: Vendor, request: AdminRequest, id: string) => unknown;

const KEYS = "/projects/([^/]+)/locations/global/keys";

/** The API Keys API: each path with what it does for each method. The last group of the path is handed in. */
const ROUTES: readonly { readonly path: RegExp; readonly inProject: boolean; readonly methods: Readonly<Record<string, Handler>> }[] = [
  { path: new RegExp(`^${KEYS}$`), inProject: true, methods: { GET: listKeys, POST: createKey } },
  { path: new RegExp(`^${KEYS}/([^/:]+)$`), inProject: true, methods: { GET: getKey, DELETE: deleteKey } },
  { path: new RegExp(`^${KEYS}/([^/:]+)/keyString$`), inProject: true, methods: { GET: getKeyString } },
  { path: new RegExp(`^${KEYS}/([^/:]+):undelete$`), inProject: true, methods: { POST: undeleteKey } },
  { path: /^\/keys:lookupKey()$/, inProject: false, methods: { GET: lookupKey } },
  { path: /^\/(operations\/[^/]+)$/, inProject: false, methods: { GET: getOperation } },
];

/** Answers one request of the API Keys API, or throws a `Refusal`. */
export function adminApi(vendor: Vendor, request: AdminRequest): Answer {
  for (const { path, inProject, methods } of ROUTES) {
    const match = path.exec(request.path);
    const handler = methods[request.method];
    if (match === null || handler === undefined) continue;
    if (inProject && !vendor.isProject(match[1]))
      throw new Refusal("PERMISSION_DENIED", "Permission denied on the project.", { reason: "AUTH_PERMISSION_DENIED" });
    if (request.readOnly && request.method !== "GET")
      throw new Refusal("PERMISSION_DENIED", "Permission denied to change API keys.", { reason: "AUTH_PERMISSION_DENIED" });
    if (request.method !== "POST" && request.body !== undefined) throw new Refusal("INVALID_ARGUMENT", "This method takes no body.");
    return { status: 200, body: handler(vendor, request, match[inProject ? 2 : 1] ?? "") };
  }
  throw new Refusal("NOT_FOUND", "Method not found.");
}

const isTexts = (value: unknown): boolean => Array.isArray(value) && value.every(isText);
const isTarget = (value: unknown): boolean => isObject(checkFields(value, { service: isText, methods: isTexts }, "apiTargets"));
const RESTRICTIONS = {
  apiTargets: (value: unknown) => Array.isArray(value) && value.every(isTarget),
  serverKeyRestrictions: (value: unknown) => isObject(checkFields(value, { allowedIps: isTexts }, "serverKeyRestrictions")),
  browserKeyRestrictions: isObject,
  androidKeyRestrictions: isObject,
  iosKeyRestrictions: isObject,
};
const KEY = {
  displayName: (value: unknown) => isText(value) && value.length <= 63,
  serviceAccountEmail: isText,
  annotations: (value: unknown) => isObject(value) && Object.values(value).every(isText),
  restrictions: (value: unknown) => isObject(checkFields(value, RESTRICTIONS, "key.restrictions")),
};

function createKey(vendor: Vendor, { body, query }: AdminRequest) {
  checkQuery(query, ["keyId"]);
  const keyId = query.get("keyId") ?? undefined;
  if (keyId !== undefined && (!/^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/.test(keyId) || /^[0-9a-f]{8}-([0-9a-f]{4}-){3}/.test(keyId)))
    throw new Refusal("INVALID_ARGUMENT", "Invalid key id.");
  const fields = checkFields(body, KEY, "key");
  if (keyId !== undefined && vendor.knows(keyId)) throw new Refusal("ALREADY_EXISTS", "Requested entity already exists.");
  if (vendor.rules.bindingForbidden && fields["serviceAccountEmail"] !== undefined)
    throw new Refusal("FAILED_PRECONDITION", "Constraint iam.managed.disableServiceAccountApiKeyCreation violated.");
  const { displayName, ...rest } = { displayName: "", serviceAccountEmail: "", annotations: {}, restrictions: {}, ...fields };
  const operation = vendor.start(() => {
    const key = vendor.addKey(keyId, displayName, rest);
    return () => typed(keyRow(vendor, key));
  });
  return operationRow(operation);
}

function listKeys(vendor: Vendor, { query }: AdminRequest) {
  checkQuery(query, ["pageSize", "pageToken", "showDeleted"]);
  const size = Number(query.get("pageSize") ?? 50);
  if (!Number.isInteger(size) || size < 0) throw new Refusal("INVALID_ARGUMENT", "Invalid page size.");
  const token = query.get("pageToken") ?? "";
  const from = token === "" ? 0 : Number(/^page-(\d+)$/.exec(token)?.[1] ?? Number.NaN);
  if (Number.isNaN(from)) throw new Refusal("INVALID_ARGUMENT", "Invalid page token.");
  const rows = vendor.everyKey().filter((key) => key.deletedAt === null || query.get("showDeleted") === "true");
  const end = from + Math.min(size === 0 ? 50 : size, 100);
  // Empty fields are left out, as in all of Google's JSON.
  const shown = rows.slice(from, end).map((key) => keyRow(vendor, key));
  return { ...(shown.length > 0 && { keys: shown }), ...(end < rows.length && { nextPageToken: `page-${end}` }) };
}

function getKey(vendor: Vendor, { query }: AdminRequest, id: string) {
  checkQuery(query, []);
  return keyRow(vendor, vendor.key(id));
}

function getKeyString(vendor: Vendor, { query }: AdminRequest, id: string) {
  checkQuery(query, []);
  return { keyString: vendor.key(id).secret };
}

function deleteKey(vendor: Vendor, { query }: AdminRequest, id: string) {
  checkQuery(query, ["etag"]);
  const key = vendor.key(id);
  if (key.deletedAt !== null) throw new Refusal(vendor.rules.deletedAgain, "The key is deleted already.");
  return operationRow(vendor.start(() => change(vendor, key, Date.now())));
}

function undeleteKey(vendor: Vendor, { query, body }: AdminRequest, id: string) {
  checkQuery(query, []);
  checkFields(body ?? {}, {});
  const key = vendor.key(id);
  if (key.deletedAt === null) throw new Refusal("FAILED_PRECONDITION", "The key is not deleted.");
  return operationRow(vendor.start(() => change(vendor, key, null)));
}

function change(vendor: Vendor, key: FakeKey, deletedAt: number | null): () => object {
  key.deletedAt = deletedAt;
  return () => typed(keyRow(vendor, key));
}

function lookupKey(vendor: Vendor, { query }: AdminRequest) {
  checkQuery(query, ["keyString"]);
  const key = vendor.findBySecret(query.get("keyString") ?? "");
  if (key === undefined) throw new Refusal(vendor.rules.lookupOfUnknown, "Permission denied, or the key does not exist.");
  return { parent: `projects/${vendor.projectNumber}/locations/global`, name: nameOf(vendor, key) };
}

function getOperation(vendor: Vendor, { query }: AdminRequest, name: string) {
  checkQuery(query, []);
  const operation = vendor.operations.get(name);
  if (operation === undefined) throw new Refusal("NOT_FOUND", "Requested entity was not found.");
  operation.looksLeft -= 1;
  return operationRow(operation);
}

const operationRow = ({ name, looksLeft, result }: FakeOperation) => ({ name, ...(looksLeft <= 0 && { done: true, ...result() }) });
const typed = (row: object) => ({ "@type": "type.googleapis.com/google.api.apikeys.v2.Key", ...row });
const nameOf = ({ projectNumber }: Vendor, { id }: FakeKey) => `projects/${projectNumber}/locations/global/keys/${id}`;

/** A key as a listing shows it: never its string. */
function keyRow(vendor: Vendor, key: FakeKey) {
  const { uid, displayName, annotations, restrictions, serviceAccountEmail, createdAt, deletedAt } = key;
  return {
    name: nameOf(vendor, key),
    uid,
    ...(displayName !== "" && { displayName }),
    createTime: new Date(createdAt).toISOString(),
    updateTime: new Date(createdAt).toISOString(),
    ...(deletedAt !== null && { deleteTime: new Date(deletedAt).toISOString() }),
    ...(Object.keys(annotations).length > 0 && { annotations }),
    ...(Object.keys(restrictions).length > 0 && { restrictions }),
    ...(serviceAccountEmail !== "" && { serviceAccountEmail }),
    etag: 'W/"canon"',
  };
}
