/** The parts of ECMAScript's JSON that TypeScript's libraries do not name yet. */
const exact = JSON as unknown as {
  parse(text: string, reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown): unknown;
  rawJSON(text: string): unknown;
};

/**
 * Parses JSON so that `JSON.stringify` writes it back with every number as it was: other people's fields may hold numbers that a
 * double cannot, and are not ours to change. `undefined` for what is no JSON.
 */
export function parseExactly(text: string): unknown {
  try {
    return exact.parse(text, (_, value, { source }) =>
      typeof value === "number" && source !== undefined && String(value) !== source ? exact.rawJSON(source) : value,
    );
  } catch {
    return undefined;
  }
}
