import { Refused } from "../http-fake.ts";

/** A refusal in one of LiteLLM's shapes. */
export class Refusal extends Refused {
  constructor(status: number, body: unknown) {
    super(`status ${status}`, { status, body });
  }
}

/** The proxy's own shape; the code is the status as text. */
export function refusal(status: number, type: string, message: string, param: string | null = null): Refusal {
  return new Refusal(status, { error: { message, type, param, code: String(status) } });
}

/** What an endpoint throws as a bare HTTP exception, the proxy says with the text of a Python dictionary in it. */
export function wrapped(status: number, message: string): Refusal {
  return refusal(status, "internal_server_error", `{'error': "${message}"}`);
}

/** The web framework's own shape for what does not fit an endpoint. */
export function unfit(where: readonly (string | number)[], type: string, msg: string): Refusal {
  return new Refusal(422, { detail: [{ type, loc: where, msg }] });
}

export type Fields = Readonly<Record<string, unknown>>;
type Kind = "text" | "number" | "list" | "dict" | "flag";

const FITS: Readonly<Record<Kind, (value: unknown) => boolean>> = {
  text: (value) => typeof value === "string",
  number: (value) => typeof value === "number",
  list: Array.isArray,
  dict: (value) => typeof value === "object" && value !== null && !Array.isArray(value),
  flag: (value) => typeof value === "boolean",
};
const SAYS: Readonly<Record<Kind, readonly [type: string, msg: string]>> = {
  text: ["string_type", "Input should be a valid string"],
  number: ["float_parsing", "Input should be a valid number, unable to parse string as a number"],
  list: ["list_type", "Input should be a valid list"],
  dict: ["dict_type", "Input should be a valid dictionary"],
  flag: ["bool_parsing", "Input should be a valid boolean, unable to interpret input"],
};

/** The body as an object whose known fields are of their kinds; `ignore` is told of the others, which the proxy takes no notice of. */
export function checkFields(body: unknown, known: Readonly<Record<string, Kind>>, ignore: (name: string) => void): Fields {
  if (!FITS.dict(body))
    throw unfit(["body"], "model_attributes_type", "Input should be a valid dictionary or object to extract fields from");
  const fields = body as Fields;
  for (const [name, value] of Object.entries(fields)) {
    const kind = known[name];
    if (kind === undefined) ignore(name);
    else if (value !== null && !FITS[kind](value)) throw unfit(["body", name], ...SAYS[kind]);
  }
  return fields;
}

/** A whole number out of a query, within its bounds. */
export function numberOf(query: URLSearchParams, name: string, { otherwise, most }: { otherwise: number; most: number }): number {
  const value = Number(query.get(name) ?? otherwise);
  if (!Number.isInteger(value))
    throw unfit(["query", name], "int_parsing", "Input should be a valid integer, unable to parse string as an integer");
  if (value < 1) throw unfit(["query", name], "greater_than_equal", "Input should be greater than or equal to 1");
  if (value > most) throw unfit(["query", name], "less_than_equal", `Input should be less than or equal to ${most}`);
  return value;
}
