import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { type MotoIam, motoIam } from "../support/moto-iam.ts";
import { startAwsIamStrict } from "./aws-iam-strict.ts";
import type { FakeVendor } from "./index.ts";

/** One for all vendors of a process; each has a user of its own in it. It ends with the process. */
let shared: Promise<MotoIam> | undefined;
let users = 0;

/** A real moto as IAM and STS, behind a proxy that is as strict as AWS, as the contract suite wants it. */
export async function accessKeyVendor(): Promise<FakeVendor> {
  shared ??= motoIam();
  const iam = await shared;
  const strict = await startAwsIamStrict(iam.url);
  users += 1;
  const [user, manager] = [`signer-${users}`, `key-admin-${users}`];
  await iam.direct.createUser({ UserName: user });
  const admin = await iam.addUser(manager, {
    Version: "2012-10-17",
    Statement: [{ Effect: "Allow", Action: "iam:*", Resource: "*" }],
  });
  const every = async () =>
    ((await iam.direct.listAccessKeys({ UserName: user })).AccessKeyMetadata ?? []).map((row) => row.AccessKeyId ?? "");
  return {
    variants: {
      "keys of a user": { user, accessKey: { credential: "admin" }, endpoint: strict.url },
      "keys of a user that is ours alone": {
        user,
        region: "eu-central-1",
        exclusive: true,
        accessKey: { credential: "admin" },
        endpoint: strict.url,
      },
    },
    secrets: { admin: admin.accessKey },
    async use(secret) {
      const { AccessKeyId: accessKeyId, SecretAccessKey: secretAccessKey } = JSON.parse(secret) as Record<string, string>;
      const credentials = { accessKeyId: accessKeyId ?? "", secretAccessKey: secretAccessKey ?? "" };
      const client = new STSClient({ region: "us-east-1", endpoint: iam.url, credentials, maxAttempts: 1 });
      return client.send(new GetCallerIdentityCommand({})).then(
        () => 200,
        (error: { $metadata?: { httpStatusCode?: number } }) => error.$metadata?.httpStatusCode ?? 500,
      );
    },
    liveKeys: every,
    addStrangers: () => {},
    async makeRoom() {
      for (const AccessKeyId of await every()) await iam.direct.deleteAccessKey({ UserName: user, AccessKeyId });
    },
    exhaust: (keyId) => void strict.forbidden.add(keyId),
    createCall: { path: "/CreateAccessKey$" },
    revokeCall: { path: "/DeleteAccessKey$" },
    addFault: (rule) => strict.faults.add(rule),
    requests: () => strict.log.length,
    connections: () => strict.connections,
    reset: () => strict.reset(),
    close: () => strict.close(),
  };
}
