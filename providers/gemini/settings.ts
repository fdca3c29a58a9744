import { z } from "zod";
import { httpUrl, secretRef } from "../../src/contract/settings.ts";

/** What an operator sets for Gemini. */
export const settings = z
  .strictObject({
    project: z.string().min(1).describe("id of the Google Cloud project that holds the keys"),
    adminKey: secretRef().describe("the JSON key of a service account with the role API Keys Admin (roles/serviceusage.apiKeysAdmin)"),
    serviceAccount: z
      .email()
      .describe("email of the service account that new keys are bound to; Gemini takes no others, and a key may do what this account may"),
    verify: z
      .strictObject({
        by: z
          .enum(["models", "countTokens", "generateContent"])
          .describe("models: list the models, which does not show that the bound account may use them; the others ask one model"),
        model: z
          .string()
          .regex(/^[A-Za-z0-9._-]+$/, "a name such as gemini-2.5-flash, without models/")
          .optional()
          .describe("the model to ask; for countTokens and generateContent only"),
      })
      .default({ by: "models" })
      .describe("the call that shows that a key works"),
    baseUrl: httpUrl().default("https://apikeys.googleapis.com").describe("address of the API Keys API"),
    inferenceUrl: httpUrl().default("https://generativelanguage.googleapis.com").describe("address of the Gemini API"),
    tokenUrl: httpUrl().default("https://oauth2.googleapis.com/token").describe("address that gives access tokens to service accounts"),
  })
  .superRefine(({ verify }, context) => {
    if ((verify.by === "models") !== (verify.model === undefined)) {
      const message = verify.by === "models" ? "only for countTokens and generateContent" : "needed to ask a model";
      context.addIssue({ code: "custom", path: ["verify", "model"], message });
    }
  });

export type Settings = z.output<typeof settings>;
