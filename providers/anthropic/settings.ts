import { z } from "zod";
import { duration, httpUrl, secretRef } from "../../src/contract/settings.ts";

/** What an operator sets for Anthropic. */
export const settings = z
  .strictObject({
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
    verify: z
      .strictObject({
        by: z.enum(["models", "messages"]).describe("models: list the models, free; messages: make one short request"),
        model: z.string().min(1).optional().describe("the model to ask; for messages only"),
      })
      .default({ by: "models" })
      .describe("the call that shows that a key works"),
    console: httpUrl().default("https://platform.claude.com").describe("address of the Console, where a person makes keys"),
    baseUrl: httpUrl().default("https://api.anthropic.com").describe("address of the Admin API"),
    inferenceUrl: httpUrl().optional().describe("address of the inference API, if it is not baseUrl"),
  })
  .superRefine(({ verify }, context) => {
    if ((verify.by === "models") !== (verify.model === undefined)) {
      const message = verify.by === "models" ? "only for messages" : "needed to make a request";
      context.addIssue({ code: "custom", path: ["verify", "model"], message });
    }
  });

export type Settings = z.output<typeof settings>;
