import type { IncomingMessage } from "node:http";
import type { z } from "zod";
import { type Operation, ROUTES, type Route } from "./api.ts";
import { ControlError } from "./api-errors.ts";
import { REQUESTS } from "./requests.ts";

const BODY_LIMIT = 64 * 1024;

/** What a request line asks for: the operation, and the parameters of its path and query. */
export interface Asked {
  readonly operation: Operation;
  readonly route: Route;
  readonly parameters: Readonly<Record<string, string>>;
}

/** Throws `unknownRoute` or `invalid`. */
export function findRoute(request: Pick<IncomingMessage, "method" | "url">): Asked {
  const [path = "", query = ""] = (request.url ?? "").split("?", 2);
  for (const [operation, route] of Object.entries(ROUTES) as [Operation, Route][]) {
    const inPath = route.method === request.method ? matchPath(route.path, path) : undefined;
    if (inPath !== undefined) return { operation, route, parameters: { ...readQuery(query), ...inPath } };
  }
  throw new ControlError("unknownRoute", `no ${request.method} ${path.slice(0, 200)}`, "are rotatectl and the daemon of the same version?");
}

/** The values of the `:names` of `pattern`, or `undefined` when the path is another one. */
function matchPath(pattern: string, path: string): Record<string, string> | undefined {
  const [wanted, given] = [pattern.split("/"), path.split("/")];
  if (wanted.length !== given.length) return undefined;
  const found: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    const value = given[index] ?? "";
    if (part.startsWith(":")) found[part.slice(1)] = decode(value);
    else if (part !== value) return undefined;
  }
  return found;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new ControlError("invalid", "the path is not well encoded");
  }
}

function readQuery(query: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [name, value] of new URLSearchParams(query)) {
    if (Object.hasOwn(found, name)) throw new ControlError("invalid", `${name}: given twice`);
    found[name] = value;
  }
  return found;
}

/** The checked request: `parameters`, and the body's fields where there is one. Throws `invalid` or `tooLarge`. */
export async function readRequest(operation: Operation, request: IncomingMessage, parameters: Asked["parameters"]): Promise<unknown> {
  const checked = REQUESTS[operation].safeParse({ ...(await readBody(request)), ...parameters });
  if (checked.success) return checked.data;
  const problems = checked.error.issues.flatMap(meant).map((issue) => [...issue.path, issue.message].join(": "));
  throw new ControlError("invalid", `${operation}: ${problems.join("; ")}`, `rotatectl ${operation} --help says what it takes`);
}

type Issue = Pick<z.core.$ZodIssue, "path" | "message">;

/** Where a request has one of several forms: what is wrong with the form that was meant, if its fields are the right ones. */
function meant(issue: z.core.$ZodIssue): readonly Issue[] {
  if (issue.code !== "invalid_union") return [issue];
  return issue.errors.find((form) => form.every(({ code }) => code === "too_small" || code === "too_big")) ?? [issue];
}

/** The JSON object in the body; an empty one where there is none. Throws `invalid` or `tooLarge`. */
export async function readBody(request: IncomingMessage, limit = BODY_LIMIT): Promise<object> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of received(request)) {
    size += chunk.length;
    if (size > limit) throw new ControlError("tooLarge", `the body is larger than ${limit} bytes`);
    chunks.push(chunk);
  }
  if (size === 0) return {};
  const body = parse(Buffer.concat(chunks).toString("utf8"));
  if (typeof body === "object" && body !== null && !Array.isArray(body)) return body;
  throw new ControlError("invalid", "the body is not a JSON object");
}

/** Who hangs up before the body is whole has made no fault in the daemon. */
async function* received(request: IncomingMessage): AsyncIterable<Buffer> {
  try {
    // Leaving the loop must not destroy the connection: the refusal is still to be sent.
    yield* request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
  } catch (cause) {
    throw new ControlError("unavailable", "the caller hung up", null, { cause });
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new ControlError("invalid", "the body is not JSON");
  }
}
