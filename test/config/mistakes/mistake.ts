import { GOOD } from "../good.ts";

/** One mistake in an otherwise good file, and all that is said about it: `line:column: path: message`, then its hint. */
export interface Mistake {
  readonly name: string;
  readonly text: string;
  readonly says: readonly string[];
}

/** The good configuration with one thing changed. */
export function change(from: string, to: string): string {
  if (!GOOD.includes(from)) throw new Error(`the good configuration has no ${from}`);
  return GOOD.replace(from, () => to);
}
