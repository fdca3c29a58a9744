import JSON5 from "json5";

/** What a text says, or where it stops being JSON5. */
export type Parsed =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly line: number; readonly column: number };

/** Reads JSON5. Of an error only the place is told: the parser's own words quote the text, which may be a key. */
export function parse(text: string): Parsed {
  try {
    return { ok: true, value: JSON5.parse(text) };
  } catch (error) {
    const { lineNumber = 1, columnNumber = 1 } = error as { readonly lineNumber?: number; readonly columnNumber?: number };
    return { ok: false, line: lineNumber, column: columnNumber };
  }
}
