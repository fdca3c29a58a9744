import type { Answer } from "../http-fake.ts";
import { checkFields, checkQuery, is, page, Refusal, type Version } from "./replies.ts";

/** One request by a key that is accepted. */
export interface InferenceRequest {
  readonly method: string;
  /** What comes after `/v1`. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: unknown;
  /** `undefined` for the calls that are not of Anthropic's own API. */
  readonly version: Version | undefined;
}

const MODELS = ["claude-fake-1", "claude-fake-2"];

/** The fields that the vendor's own client knows for a message (npm @anthropic-ai/sdk 1.13.0). */
const MESSAGE = {
  ...Object.fromEntries(
    `cache_control container diagnostics inference_geo metadata output_config service_tier speed stop_sequences system thinking tool_choice
      tools user_profile_id workspace_id`
      .split(/\s+/)
      .map((name) => [name, is.anything]),
  ),
  model: is.text,
  messages: is.list,
  max_tokens: is.count,
  stream: is.flag,
};
/** Sampling is refused by the newer version. */
const SAMPLING = { temperature: is.anything, top_p: is.anything, top_k: is.anything };

/** Answers one request of the Messages, Models or compatible API, or throws a `Refusal`. */
export function inferenceApi({ method, path, query, body, version }: InferenceRequest): Answer {
  const route = `${method} ${path}`;
  if (route === "GET /models") {
    checkQuery(query, ["limit", "after_id", "before_id"]);
    const rows = MODELS.map((id) => ({ type: "model", id, display_name: id, created_at: new Date(0).toISOString() }));
    return { status: 200, body: page(rows, query, 1000) };
  }
  if (route === "POST /messages") {
    checkQuery(query, []);
    const known = version === "2026-10-21" ? MESSAGE : { ...MESSAGE, ...SAMPLING };
    const { model, stream } = checkFields(body, known, ["model", "messages", "max_tokens"]);
    checkModel(model);
    if (stream === true) throw new Refusal(400, "This stand-in does not stream messages.");
    const content = [{ type: "text", text: "pong", citations: null }];
    const usage = { input_tokens: 5, output_tokens: 1 };
    const head = { type: "message", id: "msg_fake", role: "assistant", model };
    return { status: 200, body: { ...head, content, stop_reason: "max_tokens", stop_sequence: null, usage } };
  }
  if (route === "POST /chat/completions") {
    const { model } = checkFields(body, { model: is.text, messages: is.list, max_tokens: is.count }, ["model", "messages"]);
    const choices = [{ index: 0, message: { role: "assistant", content: "pong" }, finish_reason: "stop" }];
    return { status: 200, body: { id: "msg_fake", object: "chat.completion", created: 1, model, choices } };
  }
  throw new Refusal(404, "Not found");
}

function checkModel(model: unknown): void {
  if (!MODELS.includes(String(model))) throw new Refusal(404, `model: ${model}`);
}
