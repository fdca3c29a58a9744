import { closestMatch } from "leven";

/** Misspelled words are short; a long one may be a secret that stands in the wrong place. */
const LONGEST_WORD = 64;
const MOST_NAMES = 12;

/** The one of `candidates` that `word` was probably meant to be. */
export function suggest(word: string, candidates: readonly string[]): string | undefined {
  if (word.length > LONGEST_WORD) return undefined;
  return closestMatch(word, candidates, { maxDistance: Math.max(1, Math.floor(word.length / 3)) });
}

/** A list for a person: all of a few names, or the first of many. */
export function listNames(names: readonly string[]): string {
  if (names.length === 0) return "none";
  const shown = names.slice(0, MOST_NAMES).join(", ");
  return names.length > MOST_NAMES ? `${shown} and ${names.length - MOST_NAMES} more` : shown;
}
