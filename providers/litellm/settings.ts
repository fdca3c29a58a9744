import { z } from "zod";
import { duration, httpUrl, secretRef, verifyCall } from "../../src/contract/settings.ts";

/** What an operator sets for a LiteLLM proxy. What is left out is taken over from the key that is replaced. */
export const settings = z.strictObject({
  baseUrl: httpUrl().describe("address of the proxy, without /v1, such as https://llm.example.org"),
  adminKey: secretRef().describe("the proxy's master key, or a key of a proxy admin: others see their own keys only"),
  team: z.string().min(1).optional().describe("id of the team that a new key belongs to"),
  user: z.string().min(1).optional().describe("id of the user that a new key belongs to"),
  models: z
    .array(z.string().min(1))
    .min(1, "an empty list means all models at LiteLLM: leave models out if that is meant")
    .optional()
    .describe("the models that a new key may call"),
  expiresIn: duration()
    .refine((ms) => ms >= 1000, "at least 1s")
    .optional()
    .describe("how long a key lives"),
  verify: verifyCall(["chat"], "models: list the models, free; chat: one token, where a key's routes do not allow that"),
});

export type Settings = z.output<typeof settings>;
