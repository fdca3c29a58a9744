import type { Answer, EventStream } from "../http-fake.ts";
import { Refusal } from "./replies.ts";
import type { Vendor } from "./vendor.ts";

export interface InferenceRequest {
  readonly method: string;
  /** What comes after `/openai/`. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: unknown;
  /** From the header `api-key`, or as a bearer token as OpenAI's own client sends it to `/openai/v1`. */
  readonly secret: string | undefined;
}

/** The last one is what OpenClaw asks for on its own, for its recaps of a conversation. */
const MODELS = ["fake-1", "gpt-5.6-luna"];
const DATED = /^\d{4}-\d{2}-\d{2}(-preview)?$/;
const NO_SUCH_KEY =
  "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an active subscription and use a correct regional API endpoint for your resource.";

/** The models and the chat of one account. Throws a `Refusal`. */
export function inferenceApi(vendor: Vendor, { method, path, query, body, secret }: InferenceRequest): Answer | EventStream {
  if (secret === undefined || !vendor.accepts(secret)) throw new Refusal(401, "401", NO_SUCH_KEY);
  if (vendor.rules.localAuthDisabled)
    throw new Refusal(403, "AuthenticationTypeDisabled", "Key based authentication is disabled for this resource.");
  const dated = !path.startsWith("v1/");
  if (dated ? !DATED.test(query.get("api-version") ?? "") || query.size !== 1 : query.size !== 0)
    throw new Refusal(404, "404", "Resource not found");
  const what = `${method} ${dated ? path : path.slice("v1/".length)}`;
  if (what === "GET models") return { status: 200, body: { object: "list", data: MODELS.map((id) => ({ id, object: "model" })) } };
  if (what === "POST chat/completions" && !dated) return chat(body as Readonly<Record<string, unknown>> | undefined);
  throw new Refusal(404, "404", "Resource not found");
}

function chat(fields: Readonly<Record<string, unknown>> = {}): Answer | EventStream {
  const { model, messages, stream } = fields;
  if (!MODELS.includes(String(model))) throw new Refusal(404, "DeploymentNotFound", "The API deployment for this resource does not exist.");
  if (!Array.isArray(messages)) throw new Refusal(400, "BadRequest", "Missing required parameter: 'messages'.");
  const head = { id: "chatcmpl-fake", created: 1, model };
  if (stream !== true) {
    const choices = [{ index: 0, message: { role: "assistant", content: "pong" }, finish_reason: "stop" }];
    return { status: 200, body: { ...head, object: "chat.completion", choices } };
  }
  const chunk = (delta: object, reason: string | null) => ({
    ...head,
    object: "chat.completion.chunk",
    choices: [{ index: 0, delta, finish_reason: reason }],
  });
  return { status: 200, events: [chunk({ role: "assistant", content: "pong" }, null), chunk({}, "stop")] };
}
