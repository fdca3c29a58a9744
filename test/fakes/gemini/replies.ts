import { Refused } from "../http-fake.ts";

/** The HTTP status of each of Google's status names that the fake uses. */
const HTTP_STATUS = {
  INVALID_ARGUMENT: 400,
  FAILED_PRECONDITION: 400,
  UNAUTHENTICATED: 401,
  PERMISSION_DENIED: 403,
  NOT_FOUND: 404,
  ALREADY_EXISTS: 409,
  RESOURCE_EXHAUSTED: 429,
  INTERNAL: 500,
} as const;

export type Status = keyof typeof HTTP_STATUS;

/** A refusal in Google's error shape. */
export class Refusal extends Refused {
  constructor(status: Status, message: string, { reason }: { reason?: string } = {}) {
    const info = { "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason, domain: "googleapis.com", metadata: {} };
    const code = HTTP_STATUS[status];
    super(message, { status: code, body: { error: { code, message, status, ...(reason && { details: [info] }) } } });
  }
}

/** Any of these may stand in any query: how Google shall write its answer. */
const SYSTEM_PARAMETERS = ["$alt", "alt", "prettyPrint", "$prettyPrint"];

/** Refuses every query parameter that is not known. */
export function checkQuery(query: URLSearchParams, known: readonly string[]): void {
  for (const name of query.keys()) {
    if (!known.includes(name) && !SYSTEM_PARAMETERS.includes(name)) throw unknownName(name, "query");
  }
}

type Check = (value: unknown) => boolean;
export type Fields = Readonly<Record<string, unknown>>;

export const isObject = (value: unknown): value is Fields => typeof value === "object" && value !== null && !Array.isArray(value);
export const isText = (value: unknown): value is string => typeof value === "string";

/** The value as an object with known, well-formed fields only; else Google's 400. */
export function checkFields(value: unknown, known: Readonly<Record<string, Check>>, at = "body"): Fields {
  if (!isObject(value)) throw new Refusal("INVALID_ARGUMENT", `Invalid value at '${at}'.`);
  for (const [name, entry] of Object.entries(value)) {
    const check = known[name];
    if (check === undefined) throw unknownName(name, at);
    if (!check(entry)) throw new Refusal("INVALID_ARGUMENT", `Invalid value at '${at}.${name}'.`);
  }
  return value;
}

function unknownName(name: string, at: string): Refusal {
  return new Refusal("INVALID_ARGUMENT", `Invalid JSON payload received. Unknown name "${name}" at '${at}': Cannot find field.`);
}
