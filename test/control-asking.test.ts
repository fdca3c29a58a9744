import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { asking } from "../src/control/asking.ts";
import type { DaemonParts } from "../src/control/daemon-parts.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const NAMES = ["a", "b", "c", "d", "e"];

/** A daemon with five credentials, of which every store hangs until its time is over; a store that is deaf hangs for ever. */
function makeAsking({ callTimeoutMs, deaf }: { callTimeoutMs: number; deaf: boolean }) {
  const deadline = (ms: number) => {
    const ends = new AbortController();
    setTimeout(() => ends.abort(new DOMException("too late", "TimeoutError")), ms);
    return ends.signal;
  };
  const hang = (signal: AbortSignal) =>
    new Promise<never>((_, reject) => {
      if (!deaf) signal.addEventListener("abort", () => reject(signal.reason));
    });
  const credentials = Object.fromEntries(NAMES.map((name) => [name, { name, provider: "openai", store: { use: `vault-${name}` } }]));
  const parts = {
    clock: { deadline },
    config: () => ({ providers: { openai: {} }, credentials, timing: { callTimeoutMs, proveTimeoutMs: callTimeoutMs } }),
    plugs: () => ({
      provider: () => ({ provider: { list: async () => [] } }),
      store: () => ({ preflight: hang }),
      mirrors: () => [],
      consumers: () => [],
    }),
  };
  return asking(parts as unknown as DaemonParts);
}

test.each([
  ["answers by the time of one call, when all heed it", { callTimeoutMs: 30_000, deaf: false }, 30_000],
  ["answers before the route's time is over, when a call may take longer", { callTimeoutMs: 300_000, deaf: false }, 115_000],
  ["answers before the route's time is over, when somebody does not even heed it", { callTimeoutMs: 300_000, deaf: true }, 115_000],
])("check, while five stores hang, %s, and tells what was found", async (_, how, answersAfterMs) => {
  let reply: unknown;
  const ask = { actor: "test", signal: new AbortController().signal };
  void makeAsking(how)
    .check({}, ask)
    .then((answer) => {
      reply = answer;
    });
  await vi.advanceTimersByTimeAsync(answersAfterMs - 1);
  expect(reply).toBeUndefined();
  await vi.advanceTimersByTimeAsync(1);
  const hung = NAMES.map((name) => ({
    subject: { kind: "store", name: `vault-${name}` },
    findings: [{ code: "timeout", message: `vault-${name}: no answer in time`, cure: "is it running and reachable?" }],
  }));
  expect(reply).toEqual({ checked: [{ subject: { kind: "provider", name: "openai" }, findings: [] }, ...hung] });
});
