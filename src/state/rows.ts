import type { Db } from "./database.ts";

/** Fields of the model with what better-sqlite3 stores of them. */
export type Parameters = Record<string, string | number | null>;

type Table = "credentials" | "keys" | "rotations" | "intents" | "calls" | "events";

/** The name of a field of the model in the database. */
export const columnOf = (field: string): string => field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/**
 * All columns of a table, named as the model's fields, so that a row is read as it is needed: `vendor_id as "vendorId"`.
 * test/state/schema.test.ts holds tables and model against each other.
 */
export function columnsOf(db: Db, table: Table): string {
  const columns = db.pragma(`table_info(${table})`) as { name: string }[];
  return columns.map(({ name }) => `${name} as "${fieldOf(name)}"`).join(", ");
}

const fieldOf = (column: string): string => column.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());

/** Fields of the model as they are stored. */
export function toParameters(fields: object): Parameters {
  const parameters: Parameters = {};
  for (const [field, value] of Object.entries(fields)) parameters[field] = toColumn(value);
  return parameters;
}

/** Flags are 0 and 1, documents are JSON. */
export function toColumn(value: string | number | boolean | object | null): string | number | null {
  if (typeof value === "boolean") return Number(value);
  return typeof value === "object" && value !== null ? JSON.stringify(value) : value;
}

/** What is read of a row whose fields `F` are flags or documents. */
export type Stored<T, F extends keyof T> = { readonly [K in keyof T]: K extends F ? (T[K] extends boolean ? number : string) : T[K] };
