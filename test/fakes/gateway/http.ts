import type { IncomingMessage, ServerResponse } from "node:http";
import { json } from "node:stream/consumers";
import { z } from "zod";
import type { Failure, RunEnd, Runs } from "./runs.ts";

const chatRequest = z.object({
  model: z.string(),
  stream: z.boolean().default(false),
  messages: z.array(z.object({ role: z.string(), content: z.string() })).min(1),
});

/** What a failed run looks like: status and kind of error. A failure of a stream comes with status 200. */
const FAILURES: Readonly<Record<Failure, readonly [number, string]>> = {
  unauthorized: [401, "authentication_error"],
  revoked: [401, "permission_error"],
  cooldown: [500, "api_error"],
  cold: [500, "api_error"],
  upstream: [500, "api_error"],
  unknownModel: [400, "invalid_request_error"],
};

/** `POST /v1/chat/completions`: a request of a user to an agent. */
export async function chatCompletions(
  runs: Runs,
  mayEnter: (token: string | undefined) => Promise<boolean>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (!(await mayEnter(/^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1])))
    return send(response, 401, { error: { message: "Unauthorized", type: "unauthorized" } });
  const read = chatRequest.safeParse(await json(request).catch(() => undefined));
  if (!read.success) return send(response, 400, { error: { message: "invalid request", type: "invalid_request_error" } });
  const { model, stream, messages } = read.data;
  const agents = runs.agents();
  const named = /^openclaw\/(.+)$/.exec(model)?.[1];
  const agent =
    named === undefined || named === "default"
      ? agents.length === 1
        ? agents[0]?.id
        : undefined
      : agents.find(({ id }) => id === named)?.id;
  if (agent === undefined)
    return send(response, 400, { error: { message: "name an agent: openclaw/<agentId>", type: "invalid_request_error" } });
  const target = request.headers["x-openclaw-model"];
  const prompt = messages.at(-1)?.content ?? "";
  const chunk = (delta: object, finish: string | null) => ({
    id: "chatcmpl-fake",
    object: "chat.completion.chunk",
    created: Math.floor(Date.now() / 1000),
    model,
    choices: [{ index: 0, delta, finish_reason: finish }],
  });
  if (!stream) return answer(response, model, await runs.chat(agent, asText(target), prompt, () => {}));

  response.writeHead(200, { "content-type": "text/event-stream" });
  const emit = (event: unknown) => response.write(`data: ${JSON.stringify(event)}\n\n`);
  emit(chunk({ role: "assistant" }, null));
  const end = await runs.chat(agent, asText(target), prompt, (content) => emit(chunk({ content }, null)));
  emit(end.ok ? chunk({}, "stop") : { error: { message: shown(end), type: FAILURES[end.failure][1] } });
  response.end("data: [DONE]\n\n");
}

function answer(response: ServerResponse, model: string, end: RunEnd): void {
  if (!end.ok) {
    const [status, type] = FAILURES[end.failure];
    send(response, status, { error: { message: shown(end), type } });
    return;
  }
  const choices = [{ index: 0, message: { role: "assistant", content: end.text }, finish_reason: "stop" }];
  send(response, 200, { id: "chatcmpl-fake", object: "chat.completion", created: Math.floor(Date.now() / 1000), model, choices });
}

function shown(end: RunEnd & { ok: false }): string {
  return FAILURES[end.failure][0] === 500 ? "internal error" : end.message;
}

const asText = (header: string | string[] | undefined) => (typeof header === "string" ? header : undefined);

export function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}
