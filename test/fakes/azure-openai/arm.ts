import type { Answer } from "../http-fake.ts";
import { Refusal } from "./replies.ts";
import type { SlotName, Vendor } from "./vendor.ts";

/** One request after sign-in. */
export interface ArmRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: unknown;
  readonly readOnly: boolean;
}

/** The version that npm @azure/arm-cognitiveservices 8.1.0 speaks. */
const API_VERSION = "2025-09-01";
const PATH = /^\/subscriptions\/([^/]+)\/resourceGroups\/([^/]+)\/providers\/Microsoft\.CognitiveServices\/accounts\/([^/]+)\/([^/]+)$/i;

/** Azure Resource Manager, as far as the two keys of one account go. Throws a `Refusal`. */
export function armApi(vendor: Vendor, { method, path, query, body, readOnly }: ArmRequest): Answer {
  const version = query.get("api-version");
  if (version === null)
    throw new Refusal(400, "MissingApiVersionParameter", "The api-version query parameter (?api-version=) is required.");
  if (version !== API_VERSION || query.size !== 1)
    throw new Refusal(400, "InvalidResourceType", `The resource type 'accounts' could not be found for api version '${version}'.`);
  const [, subscription = "", group = "", account = "", action = ""] = PATH.exec(path) ?? [];
  if (subscription.toLowerCase() !== vendor.subscription)
    throw new Refusal(404, "SubscriptionNotFound", `The subscription '${subscription}' could not be found.`);
  if (group.toLowerCase() !== vendor.resourceGroup)
    throw new Refusal(404, "ResourceGroupNotFound", `Resource group '${group}' could not be found.`);
  if (account.toLowerCase() !== vendor.account)
    throw new Refusal(404, "ResourceNotFound", `The Resource 'Microsoft.CognitiveServices/accounts/${account}' was not found.`);
  if (method !== "POST") throw new Refusal(405, "MethodNotAllowed", "The requested method is not allowed.");

  if (action.toLowerCase() === "regeneratekey") {
    if (readOnly)
      throw new Refusal(403, "AuthorizationFailed", `The client does not have authorization to perform action '${action}/action'.`);
    vendor.regenerate(keyName(body));
  } else if (action.toLowerCase() !== "listkeys") throw new Refusal(404, "InvalidResourceType", "The resource type could not be found.");
  else if (body !== undefined) throw new Refusal(400, "InvalidRequestContent", "The request content was invalid: no body is expected.");
  const [one, two] = vendor.both();
  return { status: 200, body: { key1: one.secret, key2: two.secret } };
}

function keyName(body: unknown): SlotName {
  const fields = typeof body === "object" && body !== null && !Array.isArray(body) ? Object.entries(body) : [];
  const [name, value] = fields.length === 1 ? (fields[0] ?? []) : [];
  if (name === "keyName" && (value === "Key1" || value === "Key2")) return value;
  throw new Refusal(
    400,
    "InvalidRequestContent",
    "The request content was invalid and could not be deserialized: 'keyName' is Key1 or Key2.",
  );
}
