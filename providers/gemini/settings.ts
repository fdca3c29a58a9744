import { z } from "zod";
import { httpUrl, secretRef, verifyCall } from "../../src/contract/settings.ts";

/** What an operator sets for Gemini. */
export const settings = z.strictObject({
  project: z.string().min(1).describe("id of the Google Cloud project that holds the keys"),
  adminKey: secretRef().describe("the JSON key of a service account with the role API Keys Admin (roles/serviceusage.apiKeysAdmin)"),
  serviceAccount: z
    .email()
    .describe("email of the service account that new keys are bound to; Gemini takes no others, and a key may do what this account may"),
  verify: verifyCall(
    ["countTokens", "generateContent"],
    "models: list the models, which does not show that the bound account may use them; the others ask one model",
    z.string().regex(/^[A-Za-z0-9._-]+$/, "a name such as gemini-2.5-flash, without models/"),
  ),
  baseUrl: httpUrl().default("https://apikeys.googleapis.com").describe("address of the API Keys API"),
  inferenceUrl: httpUrl().default("https://generativelanguage.googleapis.com").describe("address of the Gemini API"),
  tokenUrl: httpUrl().default("https://oauth2.googleapis.com/token").describe("address that gives access tokens to service accounts"),
});

export type Settings = z.output<typeof settings>;
