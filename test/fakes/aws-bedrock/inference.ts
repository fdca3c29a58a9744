import { deniedSentence } from "./iam.ts";
import type { Vendor } from "./vendor.ts";

export const MODEL = "fake.model-1:0";

interface Request {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly bearer: string | undefined;
  /** `null` where there is a body that is no JSON. */
  readonly body: unknown;
}

interface JsonAnswer {
  readonly status: number;
  readonly body: unknown;
}

/** Bedrock's calls that take a key: its models are listed, and one of them converses. The door answers before the services do. */
export function bedrockCall(vendor: Vendor, { method, path, query, bearer, body }: Request): JsonAnswer {
  const atTheDoor = (Message: string) => ({ status: 403, body: { Message } });
  if (bearer === undefined) return atTheDoor("Missing Authentication Token");
  if (!/^(ABSK|bedrock-api-key-)/.test(bearer)) return atTheDoor("Invalid API Key format: Must start with pre-defined prefix");
  const judged = vendor.judge(bearer);
  if (judged === "unknown") return atTheDoor("Authentication failed: Please make sure your API Key is valid.");
  if (judged === "expired") return atTheDoor("Bearer Token has expired");
  if (judged === "denied") return atTheDoor(deniedSentence(vendor.everyKey().find(({ secret }) => secret === bearer)?.user ?? ""));

  if (method === "GET" && path === "/foundation-models" && query === "") return { status: 200, body: { modelSummaries: [] } };
  if (method === "POST" && path === "/openai/v1/chat/completions") return chat(body);
  const model = /^\/model\/([^/]+)\/converse$/.exec(path)?.[1];
  if (method !== "POST" || model === undefined) return { status: 404, body: { message: "UnknownOperationException" } };
  if (decodeURIComponent(model) !== MODEL) return invalid("The provided model identifier is invalid.");
  if (!isConversation(body)) return invalid("Malformed input request, please reformat your input and try again.");
  const output = { message: { role: "assistant", content: [{ text: "pong" }] } };
  const usage = { inputTokens: 1, outputTokens: 1, totalTokens: 2 };
  return { status: 200, body: { output, stopReason: "max_tokens", usage, metrics: { latencyMs: 1 } } };
}

/** The road for programs that speak OpenAI's words. */
function chat(body: unknown): JsonAnswer {
  const { model, messages } = (body ?? {}) as Record<string, unknown>;
  if (model !== MODEL || !Array.isArray(messages)) return invalid("Malformed input request, please reformat your input and try again.");
  return { status: 200, body: { object: "chat.completion", choices: [{ index: 0, message: { role: "assistant", content: "pong" } }] } };
}

const invalid = (message: string): JsonAnswer => ({ status: 400, body: { message } });

/** Text messages and a limit, and no other field. */
function isConversation(body: unknown): boolean {
  const { messages, inferenceConfig, ...rest } = (body ?? {}) as Record<string, unknown>;
  const { maxTokens, ...others } = (inferenceConfig ?? {}) as Record<string, unknown>;
  const unknown = Object.keys(rest).length + Object.keys(others).length;
  if (unknown > 0 || (maxTokens !== undefined && !Number.isInteger(maxTokens))) return false;
  return Array.isArray(messages) && messages.length > 0 && messages.every(isMessage);
}

function isMessage(message: unknown): boolean {
  const { role, content, ...rest } = (message ?? {}) as Record<string, unknown>;
  const known = role === "user" || role === "assistant";
  return known && Object.keys(rest).length === 0 && Array.isArray(content) && content.every((block) => typeof block?.text === "string");
}
