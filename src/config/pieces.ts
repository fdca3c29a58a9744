import { z } from "zod";
import { duration } from "../contract/settings.ts";
import { isCron, isZone } from "./time.ts";

/** Longer than any name that a person gives, shorter than most keys: a key in the place of a name is refused, and not repeated. */
export const NAME = /^[a-z0-9][a-z0-9-]{0,47}$/;
const YEAR_MS = 365 * 24 * 60 * 60 * 1000;

const NAME_IN_WORDS = "lower-case letters, digits and dashes, beginning with a letter or digit, 48 at most";

/** What an operator calls a provider, a store, a consumer or a credential. */
export function name() {
  return z.string().regex(NAME, NAME_IN_WORDS);
}

/** Entries by their names. One with a wrong name is looked at all the same: a record whose key is checked leaves it out. */
export function byName<T extends z.ZodType>(entry: T) {
  return z.record(z.string().meta({ pattern: NAME.source }), entry).superRefine(
    (entries, { addIssue }) => {
      for (const key of Object.keys(entries).filter((key) => !NAME.test(key)))
        addIssue({
          code: "invalid_key",
          origin: "record",
          issues: [{ code: "custom", message: NAME_IN_WORDS, path: [], input: key }],
          path: [key],
        });
    },
    { when: ({ value }) => typeof value === "object" && value !== null },
  );
}

export function absolutePath() {
  return z.string().startsWith("/", "an absolute path");
}

/** A length of time that a date can be moved by. */
export function length() {
  return duration().refine((ms) => ms <= 10 * YEAR_MS, { error: "longer than 10 years", params: { hint: "give at most 3650d" } });
}

/** A length of time that cannot be nothing. */
export function someLength() {
  return length().refine((ms) => ms > 0, { error: "no time at all", params: { hint: "give more than 0s" } });
}

export function timeZone() {
  return z
    .string()
    .refine(isZone, { error: "the name of a time zone, such as Europe/Berlin or UTC", params: { names: "zones" } })
    .describe("the IANA time zone, such as `Europe/Berlin`");
}

export function cronExpression() {
  return z.string().refine(isCron, {
    error: "not a cron expression that comes true some day",
    params: { hint: 'give five fields: minute, hour, day, month, day of the week, such as "0 4 1 * *"' },
  });
}

export function timeOfDay() {
  return z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'a time of day such as "02:00"');
}
