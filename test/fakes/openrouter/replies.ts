import { Refused } from "../http-fake.ts";

/** A refusal in OpenRouter's error shape. */
export class Refusal extends Refused {
  constructor(status: number, message: string) {
    super(message, { status, body: { error: { code: status, message } } });
  }
}

/** Refuses every query parameter that is not known. */
export function checkQuery(query: URLSearchParams, known: readonly string[]): void {
  for (const name of query.keys()) if (!known.includes(name)) throw new Refusal(400, `Unrecognized query parameter: ${name}`);
}

type Check = (value: unknown) => boolean;
export type Fields = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Fields => typeof value === "object" && value !== null && !Array.isArray(value);

const isLookupKey: Check = (value) => typeof value === "string" && value.length >= 32;
const isText: Check = (value) => typeof value === "string" && value !== "";

/** What the fields of a body must be. */
export const is = {
  text: isText,
  flag: (value: unknown) => typeof value === "boolean",
  amount: (value: unknown) => typeof value === "number" && value >= 0,
  reset: (value: unknown) => ["daily", "weekly", "monthly"].includes(String(value)),
  texts: (value: unknown) => Array.isArray(value) && value.length > 0 && value.every(isText),
  external: (value: unknown) => isObject(checkFields(value, { user: isText, api_key: isLookupKey }, ["user"])),
  /** UTC, seconds at least: minute precision and other zones are refused. */
  time: (value: unknown) => /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(String(value)) && Date.parse(String(value)) > Date.now(),
  orNull: (check: Check) => (value: unknown) => value === null || check(value),
} satisfies Record<string, Check | ((check: Check) => Check)>;

/** The value as an object with known, well-formed fields only, and with those that must be there; else a 400. */
export function checkFields(value: unknown, known: Readonly<Record<string, Check>>, needed: readonly string[] = []): Fields {
  if (!isObject(value)) throw new Refusal(400, "Expected a JSON object");
  for (const name of needed) if (!(name in value)) throw new Refusal(400, `${name}: Required`);
  for (const [name, entry] of Object.entries(value)) {
    const check = known[name];
    if (check === undefined) throw new Refusal(400, `Unrecognized key: ${name}`);
    if (!check(entry)) throw new Refusal(400, `${name}: Invalid input`);
  }
  return value;
}
