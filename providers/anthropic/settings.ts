import { z } from "zod";
import { duration, httpUrl, secretRef, verifyCall } from "../../src/contract/settings.ts";

/** What an operator sets for Anthropic. */
export const settings = z.strictObject({
  adminKey: secretRef().describe("an Admin key of the organization (sk-ant-admin…), from the Console's settings"),
  workspace: z
    .string()
    .min(1)
    .optional()
    .describe(
      "id of the workspace that holds the keys (wrkspc_…): others are neither seen nor touched; without it, the whole organization",
    ),
  serviceAccount: z
    .string()
    .min(1)
    .optional()
    .describe("the service account that keys shall act as, as the Console shows it: said to the person who makes one"),
  expiresIn: duration()
    .refine((ms) => ms >= 86_400_000, "at least 1d")
    .optional()
    .describe("how long a key shall live: said to the person who makes one, because only the Console can set it"),
  verify: verifyCall(["messages"], "models: list the models, free; messages: make one short request"),
  console: httpUrl().default("https://platform.claude.com").describe("address of the Console, where a person makes keys"),
  baseUrl: httpUrl().default("https://api.anthropic.com").describe("address of the Admin API"),
  inferenceUrl: httpUrl().optional().describe("address of the inference API, if it is not baseUrl"),
});

export type Settings = z.output<typeof settings>;
