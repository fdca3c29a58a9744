import type { SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import type { World } from "../../../src/contract/world.ts";
import { awsFailure } from "./failures.ts";

export interface ClientSettings {
  readonly region: string;
  readonly endpoint?: string | undefined;
  readonly assumeRole?: string | undefined;
}

export type Sdk = typeof import("@aws-sdk/client-secrets-manager");

/** Sends one command; errors are `AdapterError` or the reason of an abort. */
export type Call = <T>(action: string, signal: AbortSignal, send: (client: SecretsManagerClient, sdk: Sdk) => Promise<T>) => Promise<T>;

/** A client that loads the SDK at its first call and speaks through `world.exchange`. */
export function awsClient(settings: ClientSettings, world: World): Call {
  let opened: Promise<{ client: SecretsManagerClient; sdk: Sdk }> | undefined;
  return async (action, signal, send) => {
    signal.throwIfAborted();
    try {
      opened ??= open(settings, world);
      const { client, sdk } = await opened;
      return await send(client, sdk);
    } catch (error) {
      throw awsFailure(error, action, signal);
    }
  };
}

interface WireRequest {
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number;
  readonly path: string;
  readonly method: string;
  readonly query: Readonly<Record<string, string | string[] | null>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

async function open({ region, endpoint, assumeRole }: ClientSettings, world: World) {
  const sdk = await import("@aws-sdk/client-secrets-manager");
  const { HttpResponse } = await import("@smithy/core/protocols");
  const requestHandler = {
    async handle(request: WireRequest, options: { abortSignal?: unknown } = {}) {
      const { protocol, hostname, port, path, method, headers, body } = request;
      const url = new URL(`${protocol}//${hostname}${port === undefined ? "" : `:${port}`}${path}`);
      for (const [name, value] of Object.entries(request.query)) url.searchParams.set(name, String(value ?? ""));
      const signal = options.abortSignal instanceof AbortSignal ? options.abortSignal : world.clock.deadline(30_000);
      // Node's client counts and names these itself.
      const sent = Object.fromEntries(Object.entries(headers).filter(([name]) => !/^(host|content-length)$/i.test(name)));
      const reply = await world.exchange({
        action: "aws secrets manager",
        url: url.href,
        method,
        headers: sent,
        ...(body !== undefined && { body }),
        signal,
      });
      return { response: new HttpResponse({ statusCode: reply.status, headers: { ...reply.headers }, body: reply.body }) };
    },
  };
  const common = { region, requestHandler, maxAttempts: 1 };
  const credentials =
    assumeRole === undefined
      ? undefined
      : (await import("@aws-sdk/credential-providers")).fromTemporaryCredentials({
          params: { RoleArn: assumeRole, RoleSessionName: "rotated" },
          clientConfig: common,
        });
  const client = new sdk.SecretsManagerClient({ ...common, ...(endpoint && { endpoint }), ...(credentials && { credentials }) });
  return { client, sdk };
}
