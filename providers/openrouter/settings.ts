import { z } from "zod";
import { duration, httpUrl, secretRef } from "../../src/contract/settings.ts";

/** What an operator sets for OpenRouter. What is left out is taken over from the key that is replaced. */
export const settings = z.strictObject({
  adminKey: secretRef().describe("a management key (openrouter.ai/settings/management-keys), which may make keys and nothing else"),
  workspace: z.string().min(1).optional().describe("id of the workspace that holds the keys; without it, the account's default workspace"),
  limit: z
    .union([z.number().positive("an amount in USD above 0, or none"), z.literal("none")], { error: "an amount in USD above 0, or none" })
    .optional()
    .describe("what a key may spend, in USD, or none; a new key begins at 0 spent"),
  limitReset: z
    .enum(["daily", "weekly", "monthly", "never"])
    .optional()
    .describe("when the limit begins anew, at midnight UTC; weeks begin on Monday"),
  includeByokInLimit: z.boolean().optional().describe("whether what runs on your own vendor keys counts against the limit"),
  expiresIn: duration()
    .refine((ms) => ms >= 1000, "at least 1s")
    .optional()
    .describe("how long a key lives"),
  creator: z.string().min(1).optional().describe("id of the member to whom an organization's new keys belong"),
  baseUrl: httpUrl().default("https://openrouter.ai/api/v1").describe("address of the API"),
});

export type Settings = z.output<typeof settings>;
