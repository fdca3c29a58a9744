import { z } from "zod";
import { userSettings } from "../../src/aws/user.ts";
import { duration, httpUrl, verifyCall } from "../../src/contract/settings.ts";

export const DAY_MS = 86_400_000;
const MOST_DAYS = 36_600;

/** What an operator sets for Amazon Bedrock. */
export const settings = z.strictObject({
  region: z
    .string()
    .regex(/^[a-z]{2,}(-[a-z]+)+-\d+$/, "a region such as eu-central-1")
    .describe("the region whose Bedrock a key is tried at"),
  ...userSettings,
  expiresIn: duration()
    .refine((ms) => ms % DAY_MS === 0 && ms >= DAY_MS && ms <= MOST_DAYS * DAY_MS, `whole days, 1 to ${MOST_DAYS}`)
    .optional()
    .describe("how long a new key lives, in whole days; without it, as long as the key that it replaces, or without end"),
  verify: verifyCall(
    ["converse"],
    "models: list the models, which is free and does not show that one may be used; converse: one token of one model",
    z.string().regex(/^[A-Za-z0-9.:/_-]+$/, "the id of a model or of an inference profile"),
  ),
  inferenceUrl: httpUrl().optional().describe("another address for that call than AWS's own, such as a VPC endpoint's"),
});

export type Settings = z.output<typeof settings>;
