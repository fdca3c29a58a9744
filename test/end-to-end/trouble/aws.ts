import { randomUUID } from "node:crypto";
import { SecretsManager } from "@aws-sdk/client-secrets-manager";
import { startAwsStrict } from "../../fakes/aws-strict.ts";
import { moto } from "../../support/moto.ts";
import type { Trouble, TroubledStore } from "./trouble.ts";

const ENV = { AWS_ACCESS_KEY_ID: "AKIACANARY", AWS_SECRET_ACCESS_KEY: "canary-of-aws" };

export type AwsPlace = Awaited<ReturnType<typeof openAwsPlace>>;

/** A JSON secret in a real moto, behind the double that is as strict as AWS. */
export async function openAwsPlace() {
  const aws = await startAwsStrict(await moto());
  const credentials = { accessKeyId: ENV.AWS_ACCESS_KEY_ID, secretAccessKey: ENV.AWS_SECRET_ACCESS_KEY };
  const direct = new SecretsManager({ region: "eu-central-1", endpoint: aws.url, maxAttempts: 1, credentials });
  const path = `trouble/${randomUUID()}`;
  const fields = async () =>
    JSON.parse((await direct.getSecretValue({ SecretId: path })).SecretString ?? "{}") as Readonly<Record<string, string>>;

  const place = {
    aws,
    direct,
    path,
    meet: undefined as TroubledStore["meet"],
    beside: async () => (await fields())["note"] ?? "",
    async writeBeside(note: string) {
      await direct.putSecretValue({ SecretId: path, SecretString: JSON.stringify({ ...(await fields()), note }) });
    },
    async open() {
      aws.onAction = async (action) => {
        if (action !== "UpdateSecretVersionStage") return;
        const { meet } = place;
        place.meet = undefined;
        await meet?.();
      };
      return {
        settings: { type: "aws-secrets-manager", region: "eu-central-1", endpoint: aws.url },
        place: { path, field: "/key" },
        env: ENV,
        begin: async (key: string) =>
          void (await direct.createSecret({ Name: path, SecretString: JSON.stringify({ key, note: "not ours" }) })),
        current: async () => (await fields())["key"],
        async close() {
          direct.destroy();
          await aws.close();
        },
      };
    },
  } satisfies TroubledStore & Record<string, unknown>;
  return place;
}

/** AWS refuses everything with this error. */
function refused(type: string) {
  return async ({ aws }: AwsPlace) => {
    aws.refuse(type);
    return async () => aws.refuse(undefined);
  };
}

export const AWS_TROUBLES: readonly Trouble<AwsPlace>[] = [
  { name: "throttled", begin: refused("ThrottlingException"), code: "rateLimited", hint: /lifts by itself/, passes: true },
  { name: "an outage", begin: refused("InternalServiceError"), code: "unavailable", hint: /outage/, passes: true },
  {
    name: "denied by its policy",
    begin: refused("AccessDeniedException"),
    code: "forbidden",
    hint: /example policy/,
    passes: false,
  },
  {
    name: "a session whose time is over",
    begin: refused("ExpiredTokenException"),
    code: "unauthorized",
    hint: /has expired/,
    passes: false,
  },
  {
    name: "an access key that somebody deleted",
    begin: refused("UnrecognizedClientException"),
    code: "unauthorized",
    hint: /credentials that are valid/,
    passes: false,
  },
  {
    name: "a secret that is scheduled for deletion",
    async begin({ direct, path }) {
      await direct.deleteSecret({ SecretId: path, RecoveryWindowInDays: 7 });
      return () => direct.restoreSecret({ SecretId: path });
    },
    code: "misconfigured",
    hint: /restore/,
    passes: false,
  },
];
