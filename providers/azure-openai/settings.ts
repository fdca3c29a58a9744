import { z } from "zod";
import { httpUrl, secretRef } from "../../src/contract/settings.ts";

const guid = () =>
  z.string().regex(/^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/, "an id such as 00000000-0000-0000-0000-000000000000");
const application = { tenant: guid().describe("id of the Entra tenant"), client: guid().describe("the application's client id") };

const signIn = z.union(
  [
    z.strictObject({ ...application, secret: secretRef().describe("a client secret of the application") }),
    z.strictObject({
      ...application,
      certificate: secretRef().describe("a certificate of the application and its private key, in one PEM file"),
    }),
    z.strictObject({ ...application, federatedToken: secretRef().describe("the token of a workload identity, read anew at each sign-in") }),
    z.strictObject({
      managedIdentity: z
        .union([z.literal("system"), guid()])
        .describe("system, or the client id of an identity that is assigned to this virtual machine"),
    }),
    z.strictObject({ accessToken: secretRef().describe("an access token that somebody else keeps fresh; read anew at each call") }),
  ],
  {
    error:
      "one of { tenant, client, secret }, { tenant, client, certificate }, { tenant, client, federatedToken }, { managedIdentity } and { accessToken }",
  },
);

/** A name as it stands in the path of a resource. */
const name = () => z.string().regex(/^[\w.()-]+$/, "letters, digits, dot, dash, underscore and parentheses only");

/** What an operator sets for one Azure OpenAI or Foundry account. */
export const settings = z.strictObject({
  subscription: guid().describe("id of the subscription"),
  resourceGroup: name().describe("the resource group of the account"),
  account: name().describe("the account: the Azure OpenAI or Foundry resource whose two keys are rotated, not a project in it"),
  signIn: signIn.describe(
    "who rotated is to Entra; it needs Microsoft.CognitiveServices/accounts/listKeys/action and …/regenerateKey/action on the account, and no more",
  ),
  exclusive: z
    .boolean()
    .default(false)
    .describe(
      "nobody but rotated regenerates the account's two keys, and nobody uses them but the credential's consumers; a rotation needs it, because it regenerates the idle one",
    ),
  inferenceUrl: httpUrl().describe("address of the account, such as https://my-account.openai.azure.com"),
  verify: z
    .strictObject({
      apiVersion: z
        .string()
        .regex(/^\d{4}-\d{2}-\d{2}(-preview)?$/, "a version such as 2024-10-21")
        .optional()
        .describe("asks /openai/models in this version; without it, /openai/v1/models"),
    })
    .default({})
    .describe("the call that shows that a key works: it lists the models, which is free"),
  baseUrl: httpUrl().default("https://management.azure.com").describe("address of Azure Resource Manager"),
  loginUrl: httpUrl().default("https://login.microsoftonline.com").describe("address of Entra"),
});

export type Settings = z.output<typeof settings>;
