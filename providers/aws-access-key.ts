import type { IAMClient } from "@aws-sdk/client-iam";
import { ACCESS_KEY_FORM, readAccessKey, writeAccessKey } from "../src/aws/access-key.ts";
import { awsCalls, awsCallsBy } from "../src/aws/client.ts";
import { documented } from "../src/aws/replies.ts";
import { IAM, STS } from "../src/aws/services.ts";
import { PLACES } from "../src/aws/user.ts";
import { AdapterError, hasCode } from "../src/contract/errors.ts";
import { defineProvider, type Provider, type VendorKey } from "../src/contract/provider.ts";
import { verdictOn } from "../src/contract/verdict.ts";
import type { World } from "../src/contract/world.ts";
import { caller, created, lastUse, listing, toKey } from "./aws-access-key/replies.ts";
import { type Settings, settings } from "./aws-access-key/settings.ts";

const MINUTE_MS = 60_000;

/** Access keys of one IAM user. The value is one document: what AWS's own tools take from a `credential_process`. */
export const awsAccessKey = defineProvider({
  title: "AWS access key",
  apiDocs: "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_access-keys.html",
  supply: "create",
  unlabelled: ({ exclusive }) => ({ exclusive }),
  places: PLACES,
  account: ["endpoint", "accessKey", "assumeRole"],
  listLagMs: 120_000,
  // AWS notes the first use of a quarter of an hour; how late it shows is not documented.
  lastUsed: { precisionMs: 15 * MINUTE_MS, lagMs: 15 * MINUTE_MS },
  keyForm: ACCESS_KEY_FORM,
  settings,
  describe({ user }) {
    return {
      create: `creates an access key of the IAM user ${user}; it may do what this user may`,
      revoke: "deletes the old access key; its user and the user's policies stay",
    };
  },
  connect: connectAccessKey,
});

function connectAccessKey(settings: Settings, world: World): Provider & Required<Pick<Provider, "create" | "lastUse" | "setEnabled">> {
  const { user: UserName } = settings;
  const iam = awsCalls(IAM, settings, world);

  const page = (Marker: string | undefined, signal: AbortSignal) =>
    iam("list access keys", signal, async (client, sdk) => {
      const input = { UserName, ...(Marker !== undefined && { Marker }) };
      return documented(listing, await client.send(new sdk.ListAccessKeysCommand(input), { abortSignal: signal }), "list access keys");
    });

  async function list(signal: AbortSignal): Promise<VendorKey[]> {
    const found: VendorKey[] = [];
    for (let marker: string | undefined; ; ) {
      const { AccessKeyMetadata: rows, IsTruncated, Marker } = await page(marker, signal);
      found.push(...rows.map((row) => toKey(row, world.clock.now())));
      if (IsTruncated !== true) return found;
      if (Marker === undefined || Marker === marker)
        throw new AdapterError("malformed", "aws iam: list access keys: a page that leads nowhere");
      marker = Marker;
    }
  }

  return {
    async create(_, signal) {
      return iam("create access key", signal, async (client, sdk) => {
        const reply = await client.send(new sdk.CreateAccessKeyCommand({ UserName }), { abortSignal: signal });
        const { AccessKey: key } = documented(created, reply, "create access key");
        return { ...toKey(key, world.clock.now()), secret: writeAccessKey(key.AccessKeyId, key.SecretAccessKey) };
      });
    },

    list,

    /** Our own calls are uses, too: of the key that signs them, AWS's record says nothing about anybody else. */
    async lastUse(keyId, signal) {
      try {
        return await iam("look at access key", signal, async (client, sdk) => {
          if ((await signerOf(client)) === keyId) return undefined;
          const reply = await client.send(new sdk.GetAccessKeyLastUsedCommand({ AccessKeyId: keyId }), { abortSignal: signal });
          return documented(lastUse, reply, "look at access key").AccessKeyLastUsed.LastUsedDate ?? null;
        });
      } catch (error) {
        // It was deleted meanwhile, or is so new that not all of AWS knows it.
        if (hasCode(error, "notFound")) return undefined;
        throw error;
      }
    },

    /** The id stands in the document; whether the other half fits it, `verify` says. */
    async identify(secret, signal) {
      const id = readAccessKey(secret)?.id;
      return (await list(signal)).find((key) => key.id === id);
    },

    async verify(secret, signal) {
      const key = readAccessKey(secret);
      if (key === undefined) return "refused";
      const sts = awsCallsBy(key, STS, { ...settings, endpoint: settings.stsEndpoint ?? settings.endpoint }, world);
      return verdictOn(() =>
        sts("verify access key", signal, async (client, sdk) =>
          documented(caller, await client.send(new sdk.GetCallerIdentityCommand({}), { abortSignal: signal }), "verify access key"),
        ),
      );
    },

    async setEnabled(keyId, enabled, signal) {
      await iam(enabled ? "switch access key on" : "switch access key off", signal, async (client, sdk) => {
        if (!enabled) await refuseSigner(client, keyId);
        const input = { UserName, AccessKeyId: keyId, Status: enabled ? "Active" : "Inactive" } as const;
        return client.send(new sdk.UpdateAccessKeyCommand(input), { abortSignal: signal });
      });
    },

    async revoke(keyId, signal) {
      try {
        await iam("delete access key", signal, async (client, sdk) => {
          await refuseSigner(client, keyId);
          return client.send(new sdk.DeleteAccessKeyCommand({ UserName, AccessKeyId: keyId }), { abortSignal: signal });
        });
      } catch (error) {
        if (!hasCode(error, "notFound")) throw error;
        // Of a user that is not there AWS says the same, and would let every key look gone: then listing throws.
        if ((await list(signal)).some(({ id }) => id === keyId))
          throw new AdapterError("inconclusive", "aws iam: delete access key: it is said not to be there, and is listed", { cause: error });
      }
    },
  };
}

const signerOf = async (client: IAMClient): Promise<string> => (await client.config.credentials()).accessKeyId;

/** A call that cut off the key that signs it would be the last one. */
async function refuseSigner(client: IAMClient, keyId: string): Promise<void> {
  if ((await signerOf(client)) !== keyId) return;
  const cure = "let accessKey name the place that the rotation writes, or another key, and reload";
  throw new AdapterError("misconfigured", `aws iam: ${keyId} signs rotated's own calls`, { cure });
}
