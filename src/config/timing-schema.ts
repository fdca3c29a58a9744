import { z } from "zod";
import { withRules } from "../contract/settings.ts";
import type { Timing } from "./config.ts";
import { length, someLength } from "./pieces.ts";

const verify = z.strictObject({
  times: z.int().min(1).prefault(3).describe("how often in a row the vendor must accept a new key"),
  over: length().prefault("10s").describe("over how long at least"),
  deadline: someLength().prefault("5m").describe("when a new key that is still refused counts as refused for good"),
});

const confirm = z.strictObject({
  times: z.int().min(1).prefault(3).describe("how often in a row the vendor must refuse a dead key"),
  apart: length().prefault("5s").describe("how far apart at least"),
  limit: someLength().prefault("2h").describe("when a key that is still accepted makes the rotation stuck"),
});

const afterFailure = withRules(
  z.strictObject({
    first: someLength().prefault("1h").describe("the first wait after a failed rotation; it doubles each time"),
    last: someLength().prefault("24h").describe("the longest one"),
  }),
  [
    {
      broken: ({ first, last }) => typeof first === "number" && typeof last === "number" && last < first,
      at: "last",
      message: "shorter than `first`",
      hint: "the waits grow from `first` to `last`",
    },
  ],
);

const intake = z.strictObject({
  remind: someLength().prefault("24h").describe("how often a person is reminded"),
  deadline: someLength().prefault("14d").describe("when the rotation gives up; nothing was changed by then"),
});

/** `timing:` as it is written. */
export const timing = z.strictObject({
  callTimeout: someLength().prefault("30s").describe("how long one call may take; without an answer it counts as open for twice this"),
  proveTimeout: someLength().prefault("100s").describe("how long a live request through a consumer may take"),
  verify: verify.prefault({}).describe("when a new key counts as accepted"),
  reloadSettle: length().prefault("30s").describe("how long a consumer may hold another value after a reload that went well"),
  drainLimit: someLength().prefault("24h").describe("how long the old key may stay in use after the overlap"),
  confirm: confirm.prefault({}).describe("when an old key counts as dead"),
  waits: z
    .array(someLength())
    .min(1, "no waits at all")
    .prefault(["5s", "15s", "30s", "1m", "2m", "5m", "15m"])
    .describe("the waits between attempts; the last one repeats"),
  tellAfter: length().prefault("15m").describe("when a person is told that a step does not get on"),
  afterFailure: afterFailure.prefault({}).describe("when a failed rotation is tried again"),
  intake: intake.prefault({}).describe("how long a rotation waits for a key that a person makes"),
  poll: someLength().prefault("500ms").describe("the pause between two looks at something that changes by itself"),
  spread: length()
    .prefault("10m")
    .describe(
      "over how long rotations that were missed are spread, or over `jitter` where they wait for a window and that is longer; never past its end, nor into the time that a key needs before its expiry",
    ),
});

/** `timing:` with the units in the names. */
export function toTiming(settings: z.output<typeof timing>): Timing {
  const { callTimeout, proveTimeout, verify, reloadSettle, drainLimit, confirm, waits, tellAfter, afterFailure, intake, poll, spread } =
    settings;
  return {
    callTimeoutMs: callTimeout,
    proveTimeoutMs: proveTimeout,
    verify: { times: verify.times, overMs: verify.over, deadlineMs: verify.deadline },
    reloadSettleMs: reloadSettle,
    drainLimitMs: drainLimit,
    confirm: { times: confirm.times, apartMs: confirm.apart, limitMs: confirm.limit },
    waitsMs: waits,
    tellAfterMs: tellAfter,
    afterFailure: { firstMs: afterFailure.first, lastMs: afterFailure.last },
    intake: { remindMs: intake.remind, deadlineMs: intake.deadline },
    pollMs: poll,
    spreadMs: spread,
  };
}
