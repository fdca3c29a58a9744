import { createHash } from "node:crypto";
import { Cron } from "croner";
import type { CredentialConfig, Timing, Window } from "./config/config.ts";
import type { Outcome } from "./model.ts";

/** What the ledger knows of a credential's past, as far as the next time depends on it. All times are Unix milliseconds. */
export interface Past {
  readonly firstSeenAt: number;
  /** When the last rotation that ended `done` did so. */
  readonly lastDoneAt: number | undefined;
  readonly lastEnded: { readonly outcome: Outcome; readonly endedAt: number } | undefined;
  /** Rotations that failed since the last one that was done. */
  readonly failures: number;
  /** When the current key stops working by itself. */
  readonly expiresAt: number | undefined;
  /** Whether there is a key of ours to rotate. */
  readonly hasKey: boolean;
}

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
/** How long before its window closes a rotation is started at the latest; where less than twice that is left, at half of it. */
const LAST_START_MS = MINUTE_MS;

/**
 * When the next rotation of a credential is due: by its schedule, but before its key expires, not too soon after one that
 * did not end well, and inside its window, unless the key is over before that opens. It may lie in the past: then it was
 * missed. `undefined` without a schedule and an expiry, or while there is no key: the first one is made, or adopted, by a
 * person's word.
 */
export function nextRotation(credential: CredentialConfig, past: Past, timing: Timing): number | undefined {
  if (!past.hasKey) return undefined;
  const base = past.lastDoneAt ?? past.firstSeenAt;
  const jitterMs = share(credential.name, base, credential.jitterMs);
  const scheduled = plannedAfter(credential, base);
  const planned = earlier(scheduled === undefined ? undefined : scheduled + jitterMs, beforeExpiry(past, credential, timing));
  if (planned === undefined) return undefined;
  const at = Math.max(planned, notBefore(past, timing));
  const opens = intoWindow(at, credential.window, past.expiresAt);
  return opens === at ? at : spreadFrom(opens, credential.jitterMs, credential, past.expiresAt, timing);
}

/** When one that was missed begins: from `now`, or the opening of its window, on, and not all credentials at the same moment. */
export function spreadMissed(now: number, credential: CredentialConfig, expiresAt: number | undefined, timing: Timing): number {
  const from = intoWindow(now, credential.window, expiresAt);
  const overMs = from === now ? timing.spreadMs : Math.max(timing.spreadMs, credential.jitterMs);
  return spreadFrom(from, overMs, credential, expiresAt, timing);
}

/** Later by up to `overMs`, but in the window that is open at `from`, and not so late that the time before the key's expiry gets short. */
function spreadFrom(from: number, overMs: number, credential: CredentialConfig, expiresAt: number | undefined, timing: Timing): number {
  const leftMs = latestStart(expiresAt, credential, timing) - from;
  return from + share(credential.name, from, Math.max(0, Math.min(overMs, leftMs, roomMs(from, credential.window))));
}

/** How much later than `at` a rotation may begin in the window that is open then. */
function roomMs(at: number, window: Window | undefined): number {
  if (window === undefined || !isInside(at, window)) return Number.POSITIVE_INFINITY;
  const leftMs = windowCloses(at, window) - at;
  return Math.max(leftMs - LAST_START_MS, leftMs / 2);
}

/**
 * With time for overlap and drain, and in a window that opens before that time is short. A key that lives shorter than that
 * and came by a rotation is replaced at half of its life: else each successor, which lives as short, would be replaced at once.
 */
function beforeExpiry({ expiresAt, lastDoneAt }: Past, credential: CredentialConfig, timing: Timing): number | undefined {
  if (expiresAt === undefined) return undefined;
  const { window, jitterMs } = credential;
  const latest = latestStart(expiresAt, credential, timing);
  if (lastDoneAt !== undefined && latest <= lastDoneAt) return lastDoneAt + Math.max(0, Math.floor((expiresAt - lastDoneAt) / 2));
  if (window === undefined || isInside(latest, window)) return latest;
  const opened = lastOpening(latest, window);
  if (lastDoneAt !== undefined && opened <= lastDoneAt) return latest;
  return spreadFrom(opened, jitterMs, credential, expiresAt, timing);
}

function latestStart(expiresAt: number | undefined, { overlapMs }: CredentialConfig, { drainLimitMs }: Timing): number {
  return expiresAt === undefined ? Number.POSITIVE_INFINITY : expiresAt - overlapMs - drainLimitMs;
}

function plannedAfter({ schedule }: CredentialConfig, base: number): number | undefined {
  if (schedule === undefined) return undefined;
  if ("every" in schedule) return base + schedule.every;
  // croner may answer the very moment it was asked about.
  const next = new Cron(schedule.cron, { timezone: schedule.zone, paused: true }).nextRun(new Date(base + 1000));
  return next?.getTime();
}

/**
 * After one that failed: an hour, doubling to a day. One that an operator ended is left alone for a day. But a key that expires
 * is tried again in half of the time that it has left, if that is sooner: else it could be over before.
 */
function notBefore({ lastEnded, failures, expiresAt }: Past, { afterFailure: { firstMs, lastMs } }: Timing): number {
  if (lastEnded === undefined || lastEnded.outcome === "done") return 0;
  const { outcome, endedAt } = lastEnded;
  const waitMs = outcome === "failed" ? firstMs * 2 ** Math.min(Math.max(0, failures - 1), 30) : lastMs;
  const leftMs = expiresAt === undefined ? Number.POSITIVE_INFINITY : expiresAt - endedAt;
  const mostMs = leftMs <= firstMs ? lastMs : Math.max(firstMs, Math.floor(leftMs / 2));
  return endedAt + Math.min(waitMs, lastMs, mostMs);
}

/** The time itself when it lies in the window, else the next opening; but a key that is over by then does not wait for it. */
export function intoWindow(at: number, window: Window | undefined, expiresAt: number | undefined): number {
  if (window === undefined || isInside(at, window)) return at;
  const opens = nextLocal(window.from, window.zone, at);
  return expiresAt !== undefined && expiresAt <= opens ? at : opens;
}

/** When the window that is open at `at` closes. */
export function windowCloses(at: number, window: Window): number {
  return nextLocal(window.to, window.zone, at);
}

/** When the window last opened before `at`, in which it is closed. */
function lastOpening(at: number, { from, zone }: Window): number {
  let opened = nextLocal(from, zone, at - 2 * DAY_MS);
  for (let next = opened; next < at; next = nextLocal(from, zone, next + MINUTE_MS)) opened = next;
  return opened;
}

function isInside(at: number, { from, to, zone }: Window): boolean {
  const local = new Intl.DateTimeFormat("en-GB", { timeZone: zone, hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(at);
  return from < to ? local >= from && local < to : local >= from || local < to;
}

function nextLocal(time: string, zone: string, after: number): number {
  const [hour, minute] = time.split(":");
  const next = new Cron(`${Number(minute)} ${Number(hour)} * * *`, { timezone: zone, paused: true }).nextRun(new Date(after));
  if (next === null) throw new Error(`no next ${time} in ${zone}`);
  return next.getTime();
}

/** A part of `ms`, below the whole, that is the same for the same name and time, and looks random. */
function share(name: string, at: number, ms: number): number {
  const digest = createHash("sha256").update(`${name} ${at}`).digest();
  return Math.floor((digest.readUInt32BE() / 2 ** 32) * ms);
}

function earlier(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined ? other : other === undefined ? one : Math.min(one, other);
}
