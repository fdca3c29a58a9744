/** One `NAME=value` of an env file, as a program that reads it takes it. */
export interface Assignment {
  readonly name: string;
  readonly value: string;
  /** Where the value stands in the text as it is written, quotes included. */
  readonly start: number;
  readonly end: number;
}

/** What an env file says. */
export interface Reading {
  readonly assignments: readonly Assignment[];
  /** Where the quotes, or the continued line, begin that the text ends in: what is added there would become a part of them. */
  readonly open?: number | undefined;
}

/** For people: the line of a position in a text. */
export function lineOf(text: string, at: number): string {
  return `line ${text.slice(0, at).split(/\r\n|\n|\r/).length}`;
}
