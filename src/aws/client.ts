import { z } from "zod";
import { hasCode } from "../contract/errors.ts";
import type { Secret } from "../contract/secret.ts";
import { httpUrl, type SecretRef, secretRef } from "../contract/settings.ts";
import { orAbort } from "../contract/turns.ts";
import type { World } from "../contract/world.ts";
import { type AccessKey, mustBeAccessKey } from "./access-key.ts";
import { type AwsRefusal, awsFailure } from "./failures.ts";
import { awsTransport } from "./transport.ts";

/** The settings of everything that speaks to AWS: how it signs in, and where. */
export const awsSettings = {
  accessKey: secretRef()
    .optional()
    .describe(
      "the access key that signs, as AWS's tools take it from a credential_process; without it, what AWS's own chain of credentials finds",
    ),
  assumeRole: z.string().startsWith("arn:", "the ARN of a role").optional().describe("the ARN of a role to take on first"),
  endpoint: httpUrl().optional().describe("another address than AWS's own, for tests or a VPC endpoint"),
  stsEndpoint: httpUrl()
    .optional()
    .describe("where STS is, which lends the keys of `assumeRole` and knows whose a key is; without it, at `endpoint` if there is one"),
} as const;

/** Where to speak to, and as whom. */
export interface AwsSettings {
  readonly region: string;
  readonly accessKey?: SecretRef | undefined;
  readonly assumeRole?: string | undefined;
  readonly endpoint?: string | undefined;
  readonly stsEndpoint?: string | undefined;
}

/** One of AWS's services and its part of the SDK, which is imported at the first call. */
export interface AwsService<Sdk, Client> {
  /** Who it is, for messages. */
  readonly who: string;
  readonly load: () => Promise<Sdk>;
  readonly open: (sdk: Sdk, config: AwsConfig) => Client;
  readonly refusal?: AwsRefusal;
}

/** What the SDK's clients are opened with. */
export interface AwsConfig {
  readonly region: string;
  readonly maxAttempts: 1;
  /** Of the files of AWS's chain: the SDK would read each of them once for the life of the process. */
  readonly ignoreCache: true;
  readonly requestHandler: Awaited<ReturnType<typeof awsTransport>>;
  readonly endpoint?: string;
  readonly credentials?: SdkCredentials | (() => Promise<SdkCredentials>);
}

interface SdkCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** Sends commands of one service; errors are `AdapterError` or the reason of an abort. */
export type AwsCall<Sdk, Client> = <T>(action: string, signal: AbortSignal, send: (client: Client, sdk: Sdk) => Promise<T>) => Promise<T>;

/**
 * Calls that speak through `world.exchange`, once each. The access key is read anew for every call: one that was rotated
 * signs the next call already.
 */
export function awsCalls<Sdk, Client>(service: AwsService<Sdk, Client>, settings: AwsSettings, world: World): AwsCall<Sdk, Client> {
  let last: { readonly signedBy: Secret | undefined; readonly opened: Promise<Opened<Sdk, Client>> } | undefined;

  async function open(): Promise<Opened<Sdk, Client>> {
    const signedBy = settings.accessKey && (await world.secret(settings.accessKey));
    const fits = last !== undefined && (signedBy === undefined || last.signedBy?.equals(signedBy) === true);
    if (last === undefined || !fits) {
      const key = signedBy && mustBeAccessKey(signedBy, service.who);
      last = { signedBy, opened: openClient(service, settings, world, key) };
    }
    return last.opened;
  }

  return async (action, signal, send) => {
    try {
      return await callOnce(service, open, action, signal, send);
    } catch (error) {
      // What AWS's own chain found once, or a role lent, would sign every later call, whatever people have put there since.
      if (hasCode(error, "unauthorized")) last = undefined;
      throw error;
    }
  };
}

/** The same, signed by one key, whatever the settings name. */
export function awsCallsBy<Sdk, Client>(
  key: AccessKey,
  service: AwsService<Sdk, Client>,
  { region, endpoint }: AwsSettings,
  world: World,
): AwsCall<Sdk, Client> {
  const open = () => openClient(service, { region, endpoint }, world, key);
  return (action, signal, send) => callOnce(service, open, action, signal, send);
}

interface Opened<Sdk, Client> {
  readonly sdk: Sdk;
  readonly client: Client;
}

async function callOnce<Sdk, Client, T>(
  { who, refusal }: AwsService<Sdk, Client>,
  open: () => Promise<Opened<Sdk, Client>>,
  action: string,
  signal: AbortSignal,
  send: (client: Client, sdk: Sdk) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const call = async () => {
    const { client, sdk } = await open();
    return send(client, sdk);
  };
  try {
    // Where the SDK gets what it signs with, it knows of no abort.
    return await orAbort(call(), signal);
  } catch (error) {
    throw awsFailure(error, `${who}: ${action}`, signal, refusal);
  }
}

async function openClient<Sdk, Client>(
  service: AwsService<Sdk, Client>,
  { region, endpoint, stsEndpoint, assumeRole }: AwsSettings,
  world: World,
  key: AccessKey | undefined,
): Promise<Opened<Sdk, Client>> {
  const sdk = await service.load();
  const requestHandler = await awsTransport(world, service.who);
  const at = (address = endpoint) =>
    ({ region, requestHandler, maxAttempts: 1, ignoreCache: true, ...(address !== undefined && { endpoint: address }) }) as const;
  const own = key && sdkCredentials(key);
  const credentials = assumeRole === undefined ? own : await lentBy(assumeRole, own, at(stsEndpoint));
  return { sdk, client: service.open(sdk, { ...at(), ...(credentials && { credentials }) }) };
}

const sdkCredentials = ({ id, secret, sessionToken }: AccessKey): SdkCredentials => ({
  accessKeyId: id,
  secretAccessKey: secret.reveal(),
  ...(sessionToken && { sessionToken: sessionToken.reveal() }),
});

/** The keys of a role that `own`, or whatever AWS's chain finds, may take on. */
async function lentBy(RoleArn: string, own: SdkCredentials | undefined, clientConfig: AwsConfig): Promise<() => Promise<SdkCredentials>> {
  const { fromTemporaryCredentials } = await import("@aws-sdk/credential-providers");
  const params = { RoleArn, RoleSessionName: "rotated" };
  return fromTemporaryCredentials({ params, clientConfig, ...(own && { masterCredentials: own }) });
}
