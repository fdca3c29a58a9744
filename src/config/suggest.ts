import { closestMatch } from "leven";

/** Misspelled words are short; a long one may be a secret that stands in the wrong place. */
const LONGEST_WORD = 64;
const MOST_NAMES = 12;

/** Comparisons for one file. Who misspells thousands of names out of thousands is helped by the first ones. */
const MOST_COMPARISONS = 500_000;

/** Finds the one of `candidates` that `word` was probably meant to be. */
export type Suggest = (word: string, candidates: readonly string[]) => string | undefined;

export function makeSuggest(): Suggest {
  let comparisons = 0;
  return (word, candidates) => {
    comparisons += candidates.length;
    if (word.length > LONGEST_WORD || comparisons > MOST_COMPARISONS) return undefined;
    return closestMatch(word, candidates, { maxDistance: Math.ceil(word.length / 3) });
  };
}

/** A list for a person: all of a few names, or the first of many. */
export function listNames(names: readonly string[]): string {
  if (names.length === 0) return "none";
  const shown = names.slice(0, MOST_NAMES).join(", ");
  return names.length > MOST_NAMES ? `${shown} and ${names.length - MOST_NAMES} more` : shown;
}
