import type { Call, Event, Intent, Key, Rotation } from "../model.ts";

/** What better-sqlite3 gives and takes. */
export type Row = Record<string, string | number | null>;

const camel = remembered((name) => name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase()));
const snake = remembered((name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`));

const FLAGS = new Set(["forwardOnly", "cancelRequested", "refused"]);
const DOCUMENTS = new Set(["plan", "memo", "detail", "known"]);

function fromRow(row: Row): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  for (const column in row) {
    const name = camel(column);
    const value = row[column];
    fields[name] = FLAGS.has(name) ? value === 1 : DOCUMENTS.has(name) ? JSON.parse(String(value)) : value;
  }
  return fields;
}

/** An object of the model as named parameters of a statement. */
export function toRow(fields: object): Row {
  const row: Row = {};
  for (const [name, value] of Object.entries(fields)) {
    row[snake(name)] = FLAGS.has(name) ? Number(value === true) : DOCUMENTS.has(name) && value !== null ? JSON.stringify(value) : value;
  }
  return row;
}

/** The columns are few and the rows many: each name is worked out once. */
function remembered(rename: (name: string) => string): (name: string) => string {
  const known = new Map<string, string>();
  return (name) => {
    const before = known.get(name);
    if (before !== undefined) return before;
    const renamed = rename(name);
    known.set(name, renamed);
    return renamed;
  };
}

// The columns are the model's fields; test/state/schema.test.ts holds the two against each other.
export const toKey = (row: unknown) => fromRow(row as Row) as unknown as Key;
export const toRotation = (row: unknown) => fromRow(row as Row) as unknown as Rotation;
export const toIntent = (row: unknown) => fromRow(row as Row) as unknown as Intent;
export const toCall = (row: unknown) => fromRow(row as Row) as unknown as Call;
export const toEvent = (row: unknown) => fromRow(row as Row) as unknown as Event;
