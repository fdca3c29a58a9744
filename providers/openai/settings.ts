import { z } from "zod";
import { duration, httpUrl, secretRef } from "../../src/contract/settings.ts";

/** Scopes under which a key may list the models, the one call that costs nothing. */
const LISTS_MODELS = ["api.all", "api.all.read", "api.model.read"];

/** What an operator sets for OpenAI. */
export const settings = z
  .strictObject({
    project: z.string().min(1).describe("id of the project that holds the keys (proj_…); one project for each consumer is safest"),
    adminKey: secretRef().describe("an admin key (sk-admin-…) with the permission api.management.write"),
    accounts: z
      .enum(["shared", "per-key"])
      .default("per-key")
      .describe("per-key: each key has a service account of its own, named by the key's label; shared: all keys belong to serviceAccount"),
    serviceAccount: z.string().min(1).optional().describe("id of the service account that owns all keys; for accounts: shared only"),
    serviceAccountKeys: z
      .enum(["deletable", "permanent"])
      .default("deletable")
      .describe("permanent: this organization still has the older rule that a service account's key cannot be deleted"),
    scopes: z
      .array(z.string().min(1))
      .min(1, "an empty list means all permissions at OpenAI: leave scopes out if that is meant")
      .optional()
      .describe("what a key may do, such as [api.responses.write]; without it, all that its service account may"),
    expiresIn: duration()
      .refine((ms) => ms >= 1000, "at least 1s")
      .optional()
      .describe("how long a key lives; OpenAI demands it where the organization or the project has a limit"),
    verify: z
      .strictObject({
        by: z.enum(["models", "responses", "chat"]).describe("models: list the models, free; responses, chat: make one short request"),
        model: z.string().min(1).optional().describe("the model to ask; for responses and chat only"),
      })
      .default({ by: "models" })
      .describe("the call that shows that a key works"),
    organization: z.string().min(1).optional().describe("id of the organization (org-…), where the admin key knows several"),
    baseUrl: httpUrl().default("https://api.openai.com/v1").describe("address of the admin API"),
    inferenceUrl: httpUrl().optional().describe("address of the inference API, if it is not baseUrl"),
  })
  .superRefine(({ accounts, serviceAccount, scopes, verify }, context) => {
    const problem = (path: string[], message: string) => context.addIssue({ code: "custom", path, message });
    if (accounts === "shared" && serviceAccount === undefined)
      problem(["serviceAccount"], "accounts: shared needs the id of a service account");
    if (accounts === "per-key" && serviceAccount !== undefined) problem(["serviceAccount"], "only for accounts: shared");
    if ((verify.by === "models") !== (verify.model === undefined)) {
      problem(["verify", "model"], verify.by === "models" ? "only for responses and chat" : "needed to make a request");
    }
    if (verify.by === "models" && scopes?.length && !scopes.some((scope) => LISTS_MODELS.includes(scope))) {
      problem(
        ["verify"],
        "keys with these scopes may not list the models: choose by: responses or by: chat, with a model that they may use",
      );
    }
  });

export type Settings = z.output<typeof settings>;
