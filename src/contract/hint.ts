import type { Secret } from "./secret.ts";

/** Whether a redacted value, `sk-abc***wxyz` or `sk-abc...wxyz`, can be this secret's: both ends fit, and something lies between. */
export function fits(redacted: string, secret: Secret): boolean {
  const [, start, end] = /^([^*.…]+)(?:\*+|\.{3,}|…)([^*.…]+)$/.exec(redacted) ?? [];
  if (start === undefined || end === undefined) return false;
  const value = secret.reveal();
  return value.length > start.length + end.length && value.startsWith(start) && value.endsWith(end);
}
