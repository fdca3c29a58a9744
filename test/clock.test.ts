import { afterEach, expect, it, vi } from "vitest";
import { realClock } from "../src/world/clock.ts";

afterEach(() => vi.useRealTimers());

it("sleeps as long as it is told, also longer than a timer of Node can", async () => {
  vi.useFakeTimers();
  let awake = false;
  const days = 40 * 86_400_000;
  void realClock.sleep(days, new AbortController().signal).then(() => {
    awake = true;
  });
  await vi.advanceTimersByTimeAsync(days - 1);
  expect(awake).toBe(false);
  await vi.advanceTimersByTimeAsync(1);
  expect(awake).toBe(true);
});

it("ends a sleep with the reason of an abort, before and during it, and leaves no timer", async () => {
  vi.useFakeTimers();
  const reason = new Error("enough");
  await expect(realClock.sleep(1000, AbortSignal.abort(reason))).rejects.toBe(reason);
  await expect(realClock.sleep(0, AbortSignal.abort(reason))).rejects.toBe(reason);
  const controller = new AbortController();
  const sleep = realClock.sleep(1000, controller.signal);
  controller.abort(reason);
  await expect(sleep).rejects.toBe(reason);
  expect(vi.getTimerCount()).toBe(0);
});

it("gives a deadline whose reason is a TimeoutError", async () => {
  const deadline = realClock.deadline(0.5);
  expect(deadline.aborted).toBe(false);
  await expect.poll(() => deadline.aborted).toBe(true);
  expect(deadline.reason).toMatchObject({ name: "TimeoutError" });
});
