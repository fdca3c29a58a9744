import { z } from "zod";
import { awsCalls } from "../src/aws/client.ts";
import { documented } from "../src/aws/replies.ts";
import { IAM } from "../src/aws/services.ts";
import { PLACES } from "../src/aws/user.ts";
import { AdapterError, hasCode } from "../src/contract/errors.ts";
import type { HttpRequest } from "../src/contract/http.ts";
import { defineProvider, type Provider, type VendorKey } from "../src/contract/provider.ts";
import { Secret } from "../src/contract/secret.ts";
import { verdictOn } from "../src/contract/verdict.ts";
import type { World } from "../src/contract/world.ts";
import { verifyRefusal } from "./aws-bedrock/refusals.ts";
import { created, KEY_FORM, listing, saysItIs, toKey } from "./aws-bedrock/replies.ts";
import { DAY_MS, type Settings, settings } from "./aws-bedrock/settings.ts";

/** Long-term API keys of one IAM user for Amazon Bedrock. */
export const awsBedrock = defineProvider({
  title: "Amazon Bedrock",
  apiDocs: "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_bedrock.html",
  supply: "create",
  unlabelled: ({ exclusive }) => ({ exclusive }),
  places: PLACES,
  account: ["endpoint", "accessKey", "assumeRole"],
  listLagMs: 120_000,
  keyForm: KEY_FORM,
  settings,
  describe({ user, expiresIn }) {
    return {
      create: `creates a Bedrock key of the IAM user ${user}; it may do what this user may`,
      revoke: "deletes the old key; its user and the user's policies stay",
      ...(expiresIn !== undefined && { keyLifetimeMs: expiresIn }),
    };
  },
  connect: connectBedrock,
});

const SERVICE = "bedrock.amazonaws.com";

function connectBedrock(settings: Settings, world: World): Provider & Required<Pick<Provider, "create" | "setEnabled">> {
  const { user: UserName, region } = settings;
  const iam = awsCalls(IAM, settings, world);

  const page = (Marker: string | undefined, signal: AbortSignal) =>
    iam("list keys", signal, async (client, sdk) => {
      const input = { UserName, ServiceName: SERVICE, ...(Marker !== undefined && { Marker }) };
      return documented(
        listing,
        await client.send(new sdk.ListServiceSpecificCredentialsCommand(input), { abortSignal: signal }),
        "list keys",
      );
    });

  async function list(signal: AbortSignal): Promise<VendorKey[]> {
    const found: VendorKey[] = [];
    for (let marker: string | undefined; ; ) {
      const { ServiceSpecificCredentials: rows, IsTruncated, Marker } = await page(marker, signal);
      found.push(...rows.map(toKey));
      if (IsTruncated !== true) return found;
      if (Marker === undefined || Marker === marker) throw new AdapterError("malformed", "aws iam: list keys: a page that leads nowhere");
      marker = Marker;
    }
  }

  return {
    async create({ like }, signal) {
      const lifetimeMs = settings.expiresIn ?? (like?.expiresAt && like.expiresAt.getTime() - like.createdAt.getTime());
      const days = lifetimeMs === undefined ? {} : { CredentialAgeDays: Math.max(1, Math.round(lifetimeMs / DAY_MS)) };
      return iam("create key", signal, async (client, sdk) => {
        const input = { UserName, ServiceName: SERVICE, ...days };
        const reply = await client.send(new sdk.CreateServiceSpecificCredentialCommand(input), { abortSignal: signal });
        const { ServiceSpecificCredential: key } = documented(created, reply, "create key");
        return { ...toKey(key), secret: new Secret(key.ServiceCredentialSecret) };
      });
    },

    list,

    async identify(secret, signal) {
      const [found, ...others] = (await list(signal)).filter((key) => saysItIs(secret, key));
      return others.length === 0 ? found : undefined;
    },

    async verify(secret, signal) {
      const { host, path, ...call } = VERIFY_CALLS[settings.verify.by](settings.verify.model ?? "");
      const url = `${settings.inferenceUrl ?? `https://${host}.${region}.amazonaws.com`}/${path}`;
      const action = "aws bedrock: verify key";
      return verdictOn(() => world.http(url, { ...call, action, bearer: secret, refusal: verifyRefusal, signal }));
    },

    async setEnabled(keyId, enabled, signal) {
      await iam(enabled ? "switch key on" : "switch key off", signal, (client, sdk) => {
        const input = { UserName, ServiceSpecificCredentialId: keyId, Status: enabled ? "Active" : "Inactive" } as const;
        return client.send(new sdk.UpdateServiceSpecificCredentialCommand(input), { abortSignal: signal });
      });
    },

    async revoke(keyId, signal) {
      try {
        await iam("delete key", signal, (client, sdk) => {
          const input = { UserName, ServiceSpecificCredentialId: keyId };
          return client.send(new sdk.DeleteServiceSpecificCredentialCommand(input), { abortSignal: signal });
        });
      } catch (error) {
        if (!hasCode(error, "notFound")) throw error;
        // Of a user that is not there AWS says the same, and would let every key look gone: then listing throws.
        if ((await list(signal)).some(({ id }) => id === keyId))
          throw new AdapterError("inconclusive", "aws iam: delete key: it is said not to be there, and is listed", { cause: error });
      }
    },
  };
}

type VerifyCall = Pick<HttpRequest<unknown>, "method" | "body" | "reply"> & { readonly host: string; readonly path: string };

/** The part of an answer that shows that it is one, and no page of somebody in between. */
const answers = {
  models: z.looseObject({ modelSummaries: z.array(z.unknown()) }),
  converse: z.looseObject({ output: z.looseObject({}) }),
} as const;

/** The smallest requests. Listing the models is free, and answered by another part of Bedrock than the models themselves. */
const VERIFY_CALLS: Readonly<Record<Settings["verify"]["by"], (model: string) => VerifyCall>> = {
  models: () => ({ host: "bedrock", path: "foundation-models", method: "GET", reply: answers.models }),
  converse: (model) => {
    const body = { messages: [{ role: "user", content: [{ text: "ping" }] }], inferenceConfig: { maxTokens: 1 } };
    return { host: "bedrock-runtime", path: `model/${encodeURIComponent(model)}/converse`, method: "POST", body, reply: answers.converse };
  },
};
