import type { Call, Event, Intent, Key, Rotation } from "../model.ts";

/** What better-sqlite3 gives and takes. */
export type Row = Record<string, string | number | null>;

const camel = (name: string) => name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
const snake = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

const FLAGS = new Set(["forwardOnly", "cancelRequested", "refused"]);
const DOCUMENTS = new Set(["plan", "memo", "detail"]);

function fromRow(row: Row): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(row).map(([column, value]) => {
      const name = camel(column);
      if (FLAGS.has(name)) return [name, value === 1];
      if (DOCUMENTS.has(name)) return [name, JSON.parse(String(value))];
      return [name, value];
    }),
  );
}

/** An object of the model as named parameters of a statement. */
export function toRow(fields: object): Row {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => {
      if (FLAGS.has(name)) return [snake(name), value === true ? 1 : 0];
      if (DOCUMENTS.has(name)) return [snake(name), JSON.stringify(value)];
      return [snake(name), value as string | number | null];
    }),
  );
}

// The columns are the model's fields; test/state/schema.test.ts holds the two against each other.
export const toKey = (row: unknown) => fromRow(row as Row) as unknown as Key;
export const toRotation = (row: unknown) => fromRow(row as Row) as unknown as Rotation;
export const toIntent = (row: unknown) => fromRow(row as Row) as unknown as Intent;
export const toCall = (row: unknown) => fromRow(row as Row) as unknown as Call;
export const toEvent = (row: unknown) => fromRow(row as Row) as unknown as Event;
