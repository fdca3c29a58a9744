/**
 * A small program that calls an LLM vendor with a key that it reads from a file, or asks a program for as OpenClaw asks an
 * exec provider, as a stand-in for a real consumer:
 *
 *   node stand-in-consumer.ts serve KEY --socket PATH --vendor URL [--model NAME]
 *     KEY is --secret FILE [--field POINTER] | --program FILE --id NAME | --variable NAME
 *   node stand-in-consumer.ts reload --socket PATH       } what the consumer `command` runs:
 *   node stand-in-consumer.ts validate --socket PATH     } JSON on stdin, see adapters/consumers/command.ts
 *
 * `serve` prints `{"port": N}` when it is ready. There `POST /` makes one request to the vendor (200, or 502 when that
 * failed) and `GET /stats` counts them: `{"served": N, "failed": N}`. The key is read at start and at a reload, and never else;
 * one in the environment stays what it was at the start.
 */
import { spawn } from "node:child_process";
import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import { json, text } from "node:stream/consumers";
import { parseArgs } from "node:util";

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    secret: { type: "string", default: "" },
    field: { type: "string", default: "" },
    program: { type: "string", default: "" },
    id: { type: "string", default: "" },
    variable: { type: "string", default: "" },
    socket: { type: "string", default: "" },
    vendor: { type: "string", default: "" },
    model: { type: "string", default: "gpt-4o-mini" },
  },
});

const [mode] = positionals;
if (mode === "serve") await serve();
else if (mode === "reload" || mode === "validate") await ask(mode);
else throw new Error("usage: stand-in-consumer.ts serve|reload|validate OPTIONS");

async function serve(): Promise<void> {
  let key = await readKey();
  const stats = { served: 0, failed: 0 };

  const open: Routes = {
    "POST /": async (_, response) => {
      const { ok, why } = await chat(key);
      stats[ok ? "served" : "failed"] += 1;
      send(response, ok ? 200 : 502, { ok, why });
    },
    "GET /stats": async (_, response) => send(response, 200, stats),
  };
  const control: Routes = {
    "POST /reload": async (_, response) => {
      key = await readKey();
      send(response, 200, { ok: true });
    },
    "POST /validate": async (incoming, response) => {
      const { nonce } = (await json(incoming)) as { nonce: string };
      const asked = key;
      const { ok, why } = await chat(asked);
      const hmac = createHmac("sha256", asked).update(nonce).digest("hex");
      send(response, ok ? 200 : 502, ok ? { ok, hmac } : { ok, why });
    },
  };

  const [web, local] = [createServer(routed(open)), createServer(routed(control))];
  local.listen(values.socket, () => {
    web.listen(0, "127.0.0.1", () => {
      const address = web.address();
      process.stdout.write(`${JSON.stringify({ port: typeof address === "object" ? address?.port : undefined })}\n`);
    });
  });
  process.once("SIGTERM", () => process.exit(0));
}

type Routes = Readonly<Record<string, (incoming: IncomingMessage, response: ServerResponse) => Promise<void>>>;

function routed(routes: Routes) {
  return (incoming: IncomingMessage, response: ServerResponse) => {
    const route = routes[`${incoming.method} ${incoming.url}`];
    if (route === undefined) return send(response, 404, { ok: false, why: "no such route" });
    route(incoming, response).catch((error: unknown) =>
      send(response, 500, { ok: false, why: error instanceof Error ? error.name : "failed" }),
    );
  };
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

async function readKey(): Promise<string> {
  if (values.program !== "") return resolveKey();
  if (values.variable !== "") return process.env[values.variable] ?? "";
  const content = readFileSync(values.secret, "utf8");
  if (values.field === "") return content.trimEnd();
  const found = values.field
    .split("/")
    .slice(1)
    .reduce<unknown>((value, name) => (value as Record<string, unknown>)[name], JSON.parse(content));
  if (typeof found !== "string") throw new Error(`no string at ${values.field}`);
  return found;
}

/** Asks for one value, in the protocol of OpenClaw's exec providers. */
async function resolveKey(): Promise<string> {
  const { stdin, stdout } = spawn(values.program, { stdio: ["pipe", "pipe", "inherit"] });
  stdin.end(JSON.stringify({ protocolVersion: 1, ids: [values.id] }));
  const reply = (await json(stdout)) as { values: Readonly<Record<string, string>> };
  const found = reply.values[values.id];
  if (found === undefined) throw new Error(`${values.program} gave nothing for ${values.id}`);
  return found;
}

/** One request to the vendor, with the key that is held at this moment. */
async function chat(key: string): Promise<{ ok: boolean; why?: string }> {
  try {
    const response = await fetch(`${values.vendor}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      body: JSON.stringify({ model: values.model, messages: [{ role: "user", content: "ping" }] }),
    });
    await response.arrayBuffer();
    return response.ok ? { ok: true } : { ok: false, why: `the vendor answered ${response.status}` };
  } catch {
    return { ok: false, why: "the vendor was not reached" };
  }
}

/** Passes stdin on to the running program; its answer goes to stdout, a failure to stderr. */
async function ask(action: "reload" | "validate"): Promise<void> {
  const line = await text(process.stdin);
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  request({ socketPath: values.socket, method: "POST", path: `/${action}` }, resolve)
    .on("error", reject)
    .end(line);
  try {
    const response = await promise;
    const answer = (await json(response)) as { why?: string };
    if (response.statusCode === 200) process.stdout.write(`${JSON.stringify(answer)}\n`);
    else fail(answer.why ?? "failed");
  } catch {
    fail("the program does not run");
  }
}

function fail(why: string): void {
  process.stderr.write(`${why}\n`);
  process.exitCode = 1;
}
