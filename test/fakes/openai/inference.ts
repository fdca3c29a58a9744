import { setTimeout as sleep } from "node:timers/promises";
import type { Answer, EventStream } from "../http-fake.ts";
import { checkFields, checkQuery, is, Refusal } from "./replies.ts";
import type { FakeKey, Vendor } from "./vendor.ts";

/** How fast the model talks. */
export interface Pace {
  /** Before the first byte of an answer. */
  firstMs: number;
  /** Between two chunks of a stream. */
  chunkMs: number;
  /** How many chunks of text a stream has. */
  chunks: number;
}

export interface InferenceRequest {
  readonly method: string;
  /** What comes after `/v1`. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: unknown;
  readonly key: FakeKey;
}

/** The last one is what OpenClaw asks for on its own, for its recaps of a conversation. */
const MODELS = ["fake-1", "fake-2", "gpt-5.6-luna"];

/** The fields that the vendor's own client knows for each call (npm openai 7.57.0). */
const CHAT = `messages model audio frequency_penalty function_call functions logit_bias logprobs max_completion_tokens max_tokens metadata
  modalities moderation n parallel_tool_calls prediction presence_penalty prompt_cache_key prompt_cache_options prompt_cache_retention
  reasoning_effort response_format safety_identifier seed service_tier stop store stream stream_options temperature tool_choice tools
  top_logprobs top_p user verbosity web_search_options`;
const RESPONSES = `access_programs background context_management conversation image include input instructions max_output_tokens
  max_tool_calls metadata model moderation parallel_tool_calls previous_response_id prompt prompt_cache_key prompt_cache_options
  prompt_cache_retention reasoning safety_identifier service_tier store stream stream_options temperature text tool_choice tools
  top_logprobs top_p truncation user`;

const chatFields = {
  ...fieldsOf(CHAT),
  messages: Array.isArray,
  model: is.text,
  stream: is.orNull(is.flag),
  max_completion_tokens: is.orNull(is.count),
};
const responseFields = { ...fieldsOf(RESPONSES), model: is.text, stream: is.orNull(is.flag), max_output_tokens: is.orNull(is.count) };

type Handler = (request: InferenceRequest, pace: Pace) => Answer | EventStream;

const ROUTES: Readonly<Record<string, { readonly method: string; readonly scopes: readonly string[]; readonly run: Handler }>> = {
  "/models": { method: "GET", scopes: ["api.all", "api.all.read", "api.model.read"], run: listModels },
  "/responses": { method: "POST", scopes: ["api.all", "api.responses.write", "model.request"], run: respond },
  "/chat/completions": { method: "POST", scopes: ["api.all", "model.request"], run: chat },
};

/** Answers one request of the inference API by a known key, or throws a `Refusal`. */
export function inferenceApi(vendor: Vendor, request: InferenceRequest, pace: Pace): Answer | EventStream {
  const route = ROUTES[request.path];
  if (route === undefined) throw new Refusal(404, `Invalid URL (${request.method} /v1${request.path})`);
  if (route.method !== request.method)
    throw new Refusal(405, `Not allowed to ${request.method} on this path.`, { code: "method_not_supported" });
  const { scopes, outOfQuota } = request.key;
  if (scopes.length > 0 && !scopes.some((scope) => route.scopes.includes(scope))) {
    throw new Refusal(
      vendor.rules.missingScopes,
      `You have insufficient permissions for this operation. Missing scopes: ${route.scopes[0]}.`,
    );
  }
  if (outOfQuota) {
    const quota = { type: "insufficient_quota", code: "insufficient_quota" };
    throw new Refusal(429, "You exceeded your current quota, please check your plan and billing details.", quota);
  }
  checkQuery(request.query, []);
  return route.run(request, pace);
}

function listModels({ body }: InferenceRequest): Answer {
  if (body !== undefined) throw new Refusal(400, "A GET request takes no body.");
  return { status: 200, body: { object: "list", data: MODELS.map((id) => ({ id, object: "model", created: 1, owned_by: "fake" })) } };
}

function chat({ body }: InferenceRequest, pace: Pace): Answer | EventStream {
  const fields = checkFields(body, chatFields, ["model", "messages"]);
  const model = checkModel(fields["model"]);
  const id = "chatcmpl-fake";
  if (fields["stream"] !== true) {
    const message = { role: "assistant", content: "pong", refusal: null };
    const choices = [{ index: 0, message, finish_reason: "stop", logprobs: null }];
    return { status: 200, body: { id, object: "chat.completion", created: nowSeconds(), model, choices, usage: usage() } };
  }
  const options = fields["stream_options"] as { include_usage?: boolean } | undefined;
  return {
    status: 200,
    events: chatEvents({ id, object: "chat.completion.chunk", created: nowSeconds(), model }, pace, options?.include_usage === true),
  };
}

async function* chatEvents(head: object, pace: Pace, withUsage: boolean) {
  const choice = (delta: object, reason: string | null) => [{ index: 0, delta, finish_reason: reason }];
  for (let chunk = 0; chunk < pace.chunks; chunk++) {
    if (chunk > 0) await sleep(pace.chunkMs);
    yield { ...head, choices: choice(chunk === 0 ? { role: "assistant", content: "pong" } : { content: " pong" }, null) };
  }
  yield { ...head, choices: choice({}, "stop") };
  if (withUsage) yield { ...head, choices: [], usage: usage() };
}

function respond({ body }: InferenceRequest): Answer {
  const fields = checkFields(body, responseFields, ["model", "input"]);
  const model = checkModel(fields["model"]);
  if (fields["stream"] === true) throw new Refusal(400, "This stand-in does not stream responses.", { param: "stream" });
  if (typeof fields["max_output_tokens"] === "number" && fields["max_output_tokens"] < 16) {
    throw new Refusal(400, "Invalid 'max_output_tokens': expected a value >= 16.", {
      param: "max_output_tokens",
      code: "integer_below_min_value",
    });
  }
  const content = [{ type: "output_text", text: "pong", annotations: [], logprobs: [] }];
  const output = [{ id: "msg_fake", type: "message", role: "assistant", status: "completed", content }];
  const tokens = { input_tokens: 5, output_tokens: 1, total_tokens: 6 };
  const head = { id: "resp_fake", object: "response", created_at: nowSeconds(), status: "completed", model };
  return { status: 200, body: { ...head, error: null, incomplete_details: null, output, usage: tokens } };
}

function checkModel(model: unknown): string {
  if (MODELS.includes(String(model))) return String(model);
  throw new Refusal(404, `The model '${model}' does not exist or you do not have access to it.`, { code: "model_not_found" });
}

function usage() {
  return { prompt_tokens: 5, completion_tokens: 1, total_tokens: 6 };
}

function nowSeconds(): number {
  return Math.floor(Date.now() / 1000);
}

function fieldsOf(names: string): Record<string, () => boolean> {
  return Object.fromEntries(names.split(/\s+/).map((name) => [name, is.anything]));
}
