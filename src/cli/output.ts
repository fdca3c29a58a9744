import type { CredentialStatus, LastRotation } from "../api.ts";
import type { RotationView } from "../api-views.ts";

const UNITS = [
  { name: "d", ms: 86_400_000 },
  { name: "h", ms: 3_600_000 },
  { name: "min", ms: 60_000 },
  { name: "s", ms: 1000 },
] as const;

/** A length of time in its two largest units, rounded down: `3 d`, `1 h 30 min`. */
export function span(ms: number): string {
  const first = UNITS.findIndex((unit) => ms >= unit.ms);
  const largest = UNITS[first];
  if (largest === undefined) return "0 s";
  const rest = UNITS[first + 1];
  const [whole, part] = [Math.floor(ms / largest.ms), rest === undefined ? 0 : Math.floor((ms % largest.ms) / rest.ms)];
  return part === 0 || rest === undefined || whole >= 10 ? `${whole} ${largest.name}` : `${whole} ${largest.name} ${part} ${rest.name}`;
}

/** A time as people say it: `in 3 d`, `2 h ago`, `now`. */
export function relative(at: number, now: number): string {
  const distance = Math.abs(at - now);
  if (distance < 1000) return "now";
  return at > now ? `in ${span(distance)}` : `${span(distance)} ago`;
}

/** A time in UTC, to the second. */
export function stamp(at: number): string {
  return new Date(at).toISOString().replace(/\.\d+Z$/, "Z");
}

/**
 * A text that moves no cursor and changes no terminal, whoever gave the names in it. Control characters but line end and tab are
 * written as JSON writes them, so that a JSON text stays the same value.
 */
export function printable(text: string): string {
  return text.replace(/[^\P{Cc}\n\t]/gu, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/**
 * Columns without borders. All but the last hold names, times and counts, whose characters are one column wide each. A line end in
 * a cell is written as JSON writes it: what a person gave as a reason cannot look like a row of its own.
 */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, ...rows].map((line) => line.map((cell) => cell.replace(/[\n\t]/g, (end) => (end === "\n" ? "\\n" : "\\t"))));
  const widths = head.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  const padded = lines.map((line) => line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  "));
  return padded.map((line) => line.replace(/ +$/, "")).join("\n");
}

/** Where an open rotation stands, in one clause. */
function standing(rotation: RotationView, now: number): string {
  if (rotation.wanted !== null) {
    const { until } = rotation.wanted;
    const end = until === null ? "and no key serves meanwhile" : `gives up ${relative(until, now)}`;
    return `${rotation.plan}: waits for a key that a person makes, ${end}`;
  }
  if (rotation.stuck !== null) return `stuck in ${rotation.step}: ${rotation.stuck.reason}`;
  const running = rotation.checklist.find((item) => item.state === "running");
  const where = running === undefined || running.name === rotation.step ? rotation.step : `${running.name} (${rotation.step})`;
  const again = rotation.attempts > 0 && rotation.dueAt !== null ? `, again ${relative(rotation.dueAt, now)}` : "";
  const why = rotation.attempts > 0 && rotation.lastError !== null ? `: ${rotation.lastError.message}` : "";
  return `${rotation.plan}: ${where}${again}${why}`;
}

/** What helps an open rotation that has met trouble, also while it tries again by itself. */
export function cureOf({ stuck, attempts, lastError }: RotationView): string | undefined {
  return stuck?.hint ?? (attempts > 0 ? lastError?.hint : undefined);
}

/** What a credential is at, in one clause. */
export function activity(credential: CredentialStatus, now: number): string {
  const gone = credential.configured ? [] : ["not in the configuration"];
  const paused = credential.paused ? ["paused"] : [];
  const open = credential.open === null ? [] : [standing(credential.open, now)];
  const last = credential.last === null ? "never rotated" : ended(credential.last, now);
  const pool = credential.pooled === 0 ? [] : [`${credential.pooled} in the pool`];
  return [...gone, ...paused, ...(open.length > 0 ? open : [last]), ...pool].join(", ");
}

function ended({ outcome, reason, endedAt }: LastRotation, now: number): string {
  return [`${outcome} ${relative(endedAt, now)}`, ...(reason === null ? [] : [reason])].join(": ");
}
