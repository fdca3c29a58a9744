import type { Timing } from "../config/config.ts";
import { AdapterError } from "../contract/errors.ts";

/** The pauses between the tries of one step within one turn; then it waits as the table says. */
export const QUICK_MS = [100, 200] as const;

/** The wait of what only a person or much time cures: the last of the table, which repeats. */
export const longestWait = ({ waitsMs }: Pick<Timing, "waitsMs">): number => waitsMs.at(-1) ?? 0;

/** How long to wait after `attempts` failed turns: the other side's own wish where it gave one, else the table; its last entry repeats. */
export function waitBefore(attempts: number, timing: Pick<Timing, "waitsMs">, error: unknown): number {
  const fromTable = timing.waitsMs[Math.min(attempts, timing.waitsMs.length - 1)] ?? 0;
  const wish = error instanceof AdapterError ? (error.retryAfterMs ?? 0) : 0;
  return Math.max(fromTable, wish);
}
