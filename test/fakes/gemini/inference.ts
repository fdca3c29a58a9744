import type { Answer } from "../http-fake.ts";
import { checkFields, checkQuery, isObject, Refusal } from "./replies.ts";
import type { FakeKey, Vendor } from "./vendor.ts";

interface InferenceRequest {
  readonly method: string;
  /** What comes after `/v1beta`. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: unknown;
  readonly secret: string | undefined;
}

const MODEL = "gemini-fake-1";
const REQUEST = { contents: Array.isArray, generationConfig: isObject };

/** Answers one request of the Gemini API, or throws a `Refusal`. */
export function inferenceApi(vendor: Vendor, { method, path, query, body, secret }: InferenceRequest): Answer {
  const key = accept(vendor, secret);
  if (path === "/models" && method === "GET") {
    checkQuery(query, ["pageSize", "pageToken"]);
    const supportedGenerationMethods = ["generateContent", "countTokens"];
    return { status: 200, body: { models: [{ name: `models/${MODEL}`, version: "1", supportedGenerationMethods }] } };
  }
  const [, model, action = ""] = /^\/models\/([^/:]+):(generateContent|countTokens)$/.exec(path) ?? [];
  if (model === undefined || method !== "POST") throw new Refusal("NOT_FOUND", "Method not found.");
  checkQuery(query, []);
  if (key.roleless) throw new Refusal("PERMISSION_DENIED", "The caller does not have permission.", { reason: "IAM_PERMISSION_DENIED" });
  if (model !== MODEL) throw new Refusal("NOT_FOUND", `models/${model} is not found for API version v1beta.`);
  const { contents } = checkFields(body, action === "countTokens" ? { contents: REQUEST.contents } : REQUEST);
  if (contents === undefined) throw new Refusal("INVALID_ARGUMENT", "contents is not specified");
  if (action === "countTokens") return { status: 200, body: { totalTokens: 1 } };
  const content = { role: "model", parts: [{ text: "pong" }] };
  return { status: 200, body: { candidates: [{ content, finishReason: "MAX_TOKENS", index: 0 }], modelVersion: MODEL } };
}

function accept(vendor: Vendor, secret: string | undefined): FakeKey {
  if (secret === undefined) throw new Refusal("PERMISSION_DENIED", "Method doesn't allow unregistered callers.");
  const key = vendor.findBySecret(secret);
  if (key === undefined || key.deletedAt !== null)
    throw new Refusal("INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", { reason: "API_KEY_INVALID" });
  if (key.serviceAccountEmail === "")
    throw new Refusal("UNAUTHENTICATED", "API keys of this class are not supported.", { reason: "ACCESS_TOKEN_TYPE_UNSUPPORTED" });
  if (key.blocked) throw new Refusal("PERMISSION_DENIED", "Requests to this API are blocked.", { reason: "API_KEY_SERVICE_BLOCKED" });
  return key;
}
