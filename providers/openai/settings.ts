import { z } from "zod";
import { duration, httpUrl, secretRef, verifyCall, withRules } from "../../src/contract/settings.ts";

/** Scopes under which a key may list the models, the one call that costs nothing. */
const LISTS_MODELS: readonly unknown[] = ["api.all", "api.all.read", "api.model.read"];
const mayListModels = (scope: unknown) => LISTS_MODELS.includes(scope);
const isListing = (verify: unknown) => typeof verify === "object" && verify !== null && "by" in verify && verify.by === "models";

/** What an operator sets for OpenAI. */
export const settings = withRules(
  z.strictObject({
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
    verify: verifyCall(["responses", "chat"], "models: list the models, free; responses, chat: make one short request"),
    organization: z.string().min(1).optional().describe("id of the organization (org-…), where the admin key knows several"),
    baseUrl: httpUrl().default("https://api.openai.com/v1").describe("address of the admin API"),
    inferenceUrl: httpUrl().optional().describe("address of the inference API, if it is not baseUrl"),
  }),
  [
    {
      broken: ({ accounts, serviceAccount }) => accounts === "shared" && serviceAccount === undefined,
      at: "serviceAccount",
      message: "accounts: shared needs the id of a service account",
      hint: "add serviceAccount: the account that shall own all keys",
    },
    {
      broken: ({ accounts, serviceAccount }) => accounts === "per-key" && serviceAccount !== undefined,
      at: "serviceAccount",
      message: "only for accounts: shared",
      hint: "remove it, and each key has an account of its own; or set accounts: shared",
    },
    {
      broken: ({ verify, scopes }) => isListing(verify) && Array.isArray(scopes) && scopes.length > 0 && !scopes.some(mayListModels),
      at: "verify",
      message: "keys with these scopes may not list the models",
      hint: "choose by: responses or by: chat, with a model that they may use",
    },
  ],
);

export type Settings = z.output<typeof settings>;
