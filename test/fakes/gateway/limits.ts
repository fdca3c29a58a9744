import { setTimeout as sleep } from "node:timers/promises";
import { RpcRefusal } from "./handshake.ts";

const [BASE_MS, LONGEST_MS] = [250, 5000];
const ATTEMPTS = { most: 10, withinMs: 60_000, lockMs: 300_000 };
const WRITES = { most: 30, withinMs: 60_000 };

/** What wrong tokens cost. All callers of the fake have one address. */
export function makeAttempts({ remote }: { remote: boolean }) {
  let failures: number[] = [];
  let lockedUntil = 0;
  const attempts = {
    /** Wrong ones so far, since a right one. */
    failed: () => failures.length,
    /** From elsewhere: refused unheard for five minutes after ten wrong ones within one. */
    mustBeOpen(): void {
      const retryAfterMs = lockedUntil - Date.now();
      if (!remote || retryAfterMs <= 0) return;
      const details = { code: "AUTH_RATE_LIMITED", authReason: "rate_limited", recommendedNextStep: "wait_then_retry" };
      const more = { retryable: true, retryAfterMs, details };
      throw new RpcRefusal("INVALID_REQUEST", "unauthorized: too many failed authentication attempts (retry later)", more);
    },
    /** From loopback: each answer comes later than the one before, until a right one. */
    async wrong(): Promise<void> {
      const now = Date.now();
      failures = [...failures.filter((at) => at > now - ATTEMPTS.withinMs), now];
      if (remote && failures.length >= ATTEMPTS.most) lockedUntil = now + ATTEMPTS.lockMs;
      if (!remote) await sleep(Math.min(BASE_MS * 2 ** (failures.length - 1), LONGEST_MS));
    },
    right(): void {
      failures = [];
    },
  };
  return attempts;
}

/** Thirty calls a minute that change something, for each method and device. */
export function makeWriteLimit() {
  const seen = new Map<string, number[]>();
  return (method: string, device: string | undefined): void => {
    const key = `${method} ${device ?? ""}`;
    const now = Date.now();
    const recent = (seen.get(key) ?? []).filter((at) => at > now - WRITES.withinMs);
    const [first = now] = recent;
    if (recent.length >= WRITES.most) {
      const retryAfterMs = first + WRITES.withinMs - now;
      const message = `rate limit exceeded for ${method}; retry after ${Math.ceil(retryAfterMs / 1000)}s`;
      throw new RpcRefusal("UNAVAILABLE", message, { retryable: true, retryAfterMs, details: { method, limit: "30 per 60s" } });
    }
    seen.set(key, [...recent, now]);
  };
}
