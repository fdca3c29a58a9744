import { z } from "zod";
import { duration, httpUrl, secretRef } from "../../src/contract/settings.ts";

/** What an operator sets for an any-llm gateway. */
export const settings = z.strictObject({
  baseUrl: httpUrl().describe("address of the gateway, without /v1, such as https://llm.example.org"),
  adminKey: secretRef().describe("the gateway's master key (master_key, GATEWAY_MASTER_KEY)"),
  user: z
    .string()
    .min(1)
    .optional()
    .describe("id of the gateway's user whose budget new keys draw on; without it, the user of the key that is replaced"),
  expiresIn: duration()
    .refine((ms) => ms >= 1000, "at least 1s")
    .optional()
    .describe("how long a key lives; not where the gateway's database is SQLite, which refuses every key that has an end"),
  verify: z
    .strictObject({
      model: z
        .string()
        .regex(/^[^:/\s]+[:/]\S+$/, "a provider of the gateway, a colon, a model: openai:gpt-4o-mini")
        .describe("the model to ask for one token, as PROVIDER:MODEL"),
    })
    .describe("the call that shows that a key works: a chat with one token as answer, since the gateway has nothing that costs less"),
});

export type Settings = z.output<typeof settings>;
