import { Refused } from "../http-fake.ts";

/** A refusal in the vendor's error shape. */
export class Refusal extends Refused {
  constructor(status: number, message: string, more: { code?: string; type?: string; param?: string } = {}) {
    const { code = null, type = "invalid_request_error", param = null } = more;
    super(message, { status, body: { error: { message, type, param, code } } });
  }
}

/** A JSON object as a request carries it. */
export type Fields = Readonly<Record<string, unknown>>;

type Check = (value: unknown) => boolean;

export const is = {
  text: (value: unknown) => typeof value === "string" && value !== "",
  count: (value: unknown) => Number.isInteger(value) && Number(value) > 0,
  texts: (value: unknown) => Array.isArray(value) && value.every((entry) => typeof entry === "string"),
  flag: (value: unknown) => typeof value === "boolean",
  anything: () => true,
  orNull: (check: Check) => (value: unknown) => value === null || check(value),
} satisfies Record<string, Check | ((check: Check) => Check)>;

/** The body as an object with known, well-formed fields only; else the vendor's 400. */
export function checkFields(body: unknown, known: Readonly<Record<string, Check>>, required: readonly string[] = []): Fields {
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw new Refusal(400, "We could not parse the JSON body of your request.");
  }
  for (const name of required) {
    if (!(name in body))
      throw new Refusal(400, `Missing required parameter: '${name}'.`, { param: name, code: "missing_required_parameter" });
  }
  for (const [name, value] of Object.entries(body)) {
    const check = known[name];
    if (check === undefined) throw new Refusal(400, `Unknown parameter: '${name}'.`, { param: name, code: "unknown_parameter" });
    if (!check(value)) throw new Refusal(400, `Invalid value for '${name}'.`, { param: name, code: "invalid_type" });
  }
  return body as Fields;
}

/** Refuses every query parameter that is not known. */
export function checkQuery(query: URLSearchParams, known: readonly string[]): void {
  for (const name of query.keys()) {
    if (!known.includes(name)) throw new Refusal(400, `Unknown query parameter: '${name}'.`, { param: name, code: "unknown_parameter" });
  }
}
