import { Cron } from "croner";
import type { Schedule } from "./config.ts";

const MINUTE_MS = 60_000;
/** Enough to meet the longest gap of an expression that comes daily, on some days of the week, monthly or yearly. */
const TIMES_LOOKED_AT = 14;

/** To ask for a zone is slow, and thousands of credentials name the same few. */
const knownZones = new Set<string>();

/** Whether this is a time zone of the IANA database, such as `Europe/Berlin`. */
export function isZone(zone: string): boolean {
  if (knownZones.has(zone)) return true;
  // An offset such as +01:00 is known to Intl, but not to the database: it has no summer time.
  if (!/^[A-Za-z]/.test(zone)) return false;
  try {
    new Intl.DateTimeFormat("en", { timeZone: zone });
  } catch {
    return false;
  }
  knownZones.add(zone);
  return true;
}

/** Every zone worth a suggestion. */
export function zoneNames(): readonly string[] {
  return ["UTC", ...Intl.supportedValuesOf("timeZone")];
}

/** Whether this is a cron expression of five fields that comes true at some time. */
export function isCron(expression: string): boolean {
  return parseCron(expression) !== null;
}

/** The longest time between two planned rotations. */
export function longestGapMs(schedule: Schedule): number {
  if ("every" in schedule) return schedule.every;
  const times = parseCron(schedule.cron)?.nextRuns(TIMES_LOOKED_AT) ?? [];
  return times.reduce((longest, time, index) => Math.max(longest, time.getTime() - (times[index - 1] ?? time).getTime()), MINUTE_MS);
}

function parseCron(expression: string): Cron | null {
  if (expression.trim().split(/\s+/).length !== 5) return null;
  try {
    const cron = new Cron(expression, { mode: "5-part", timezone: "UTC", paused: true });
    return cron.nextRun() === null ? null : cron;
  } catch {
    return null;
  }
}
