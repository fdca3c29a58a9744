import { Refused } from "../http-fake.ts";

/** The versions of the API that the fake knows: the one of plain requests, and the one that the vendor's client sends. */
export type Version = "2023-06-01" | "2026-10-21";

const TYPE_OF = {
  400: "invalid_request_error",
  401: "authentication_error",
  402: "billing_error",
  403: "permission_error",
  404: "not_found_error",
  405: "invalid_request_error",
  409: "conflict_error",
  429: "rate_limit_error",
  500: "api_error",
  529: "overloaded_error",
} as const;

/** A refusal in Anthropic's error shape. */
export class Refusal extends Refused {
  constructor(status: keyof typeof TYPE_OF, message: string, { code }: { code?: string } = {}) {
    const details = code === undefined ? {} : { details: { error_code: code } };
    const error = { type: TYPE_OF[status], message, ...details };
    super(message, { status, body: { type: "error", error, request_id: "req_fake" } });
  }
}

type Check = (value: unknown) => boolean;
export type Fields = Readonly<Record<string, unknown>>;

export const is = {
  text: (value: unknown) => typeof value === "string" && value !== "",
  count: (value: unknown) => Number.isInteger(value) && Number(value) > 0,
  list: (value: unknown) => Array.isArray(value) && value.length > 0,
  flag: (value: unknown) => typeof value === "boolean",
  anything: () => true,
  oneOf:
    (...values: readonly string[]) =>
    (value: unknown) =>
      values.includes(String(value)),
  orNull: (check: Check) => (value: unknown) => value === null || check(value),
} as const;

/** The body as an object with known, well-formed fields only; else the vendor's 400. */
export function checkFields(body: unknown, known: Readonly<Record<string, Check>>, required: readonly string[] = []): Fields {
  if (typeof body !== "object" || body === null || Array.isArray(body)) throw new Refusal(400, "Input should be a valid dictionary");
  for (const name of required) if (!(name in body)) throw new Refusal(400, `${name}: Field required`);
  for (const [name, value] of Object.entries(body)) {
    const check = known[name];
    if (check === undefined) throw new Refusal(400, `${name}: Extra inputs are not permitted`);
    if (!check(value)) throw new Refusal(400, `${name}: Input is not valid`);
  }
  return body as Fields;
}

/** Refuses every query parameter that is not known. */
export function checkQuery(query: URLSearchParams, known: readonly string[]): void {
  for (const name of query.keys()) if (!known.includes(name)) throw new Refusal(400, `${name}: Extra inputs are not permitted`);
}

/** One page by the vendor's cursors. */
export function page<Row extends { readonly id: string }>(rows: readonly Row[], query: URLSearchParams, most: number): object {
  const limit = Number(query.get("limit") ?? 20);
  if (!Number.isInteger(limit) || limit < 1 || limit > most) throw new Refusal(400, `limit: Input should be between 1 and ${most}`);
  const [after, before] = [query.get("after_id"), query.get("before_id")];
  if (after !== null && before !== null) throw new Refusal(400, "only one of before_id and after_id may be given");
  const cursor = after ?? before;
  const at = cursor === null ? -1 : rows.findIndex(({ id }) => id === cursor);
  if (cursor !== null && at === -1) throw new Refusal(400, `${after === null ? "before_id" : "after_id"}: no such object`);
  const rest = before === null ? rows.slice(at + 1) : rows.slice(0, at);
  const data = before === null ? rest.slice(0, limit) : rest.slice(-limit);
  return { data, has_more: rest.length > data.length, first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null };
}
