import { readFile } from "node:fs/promises";
import { awsAccessKey } from "../../providers/aws-access-key.ts";
import type { AdapterError } from "../../src/contract/errors.ts";
import { type AwsIamStrict, startAwsIamStrict } from "../fakes/aws-iam-strict.ts";
import { type MotoIam, motoIam } from "../support/moto-iam.ts";
import { type TestWorld, testWorld } from "../support/world.ts";

export const label = "rotated-access-key-1";
export const USER = "signer";

/** IAM with a user called {@link USER}, and the provider in front of it. */
export interface AccessKeyBench {
  readonly iam: MotoIam;
  /** What the provider calls: it passes on to {@link iam}. */
  readonly strict: AwsIamStrict;
  readonly world: TestWorld;
  /** The access keys by the name in `{ credential: NAME }`: `admin`, `reader`, `wrong`, `unknown` and `text`. */
  readonly secrets: Readonly<Record<string, string>>;
  /** The provider with these settings beside the good ones. */
  connect(settings?: object, overrides?: Partial<TestWorld>): ReturnType<typeof awsAccessKey.connect>;
  /** Deletes all access keys of a user. */
  clear(user: string): Promise<void>;
  close(): Promise<void>;
}

export async function accessKeyBench(): Promise<AccessKeyBench> {
  const iam = await motoIam();
  const strict = await startAwsIamStrict(iam.url);
  await iam.direct.createUser({ UserName: USER });
  const { accessKey: admin } = await iam.addUser("key-admin", await shippedActions());
  const { accessKey: reader } = await iam.addUser("key-reader", allow("iam:List*", "iam:Get*"));
  const { AccessKeyId } = JSON.parse(admin);
  const secrets = {
    admin,
    reader,
    wrong: JSON.stringify({ Version: 1, AccessKeyId, SecretAccessKey: "canary-of-somebody-else" }),
    unknown: JSON.stringify({ AccessKeyId: "AKIACANARYNOBODY0000", SecretAccessKey: "canary" }),
    text: "canary-no-document",
  };
  const world = await testWorld({ secrets });
  return {
    iam,
    strict,
    world,
    secrets,
    connect(settings = {}, overrides = {}) {
      const all = { user: USER, accessKey: { credential: "admin" }, endpoint: strict.url, ...settings };
      return awsAccessKey.connect(awsAccessKey.settings.parse(all), { ...world, ...overrides });
    },
    async clear(UserName) {
      const { AccessKeyMetadata: rows = [] } = await iam.direct.listAccessKeys({ UserName });
      for (const { AccessKeyId = "" } of rows) await iam.direct.deleteAccessKey({ UserName, AccessKeyId });
    },
    async close() {
      iam.close();
      await strict.close();
      await world.close();
    },
  };
}

export const allow = (...Action: string[]) => ({ Version: "2012-10-17", Statement: [{ Effect: "Allow", Action, Resource: "*" }] });

/** The policy that we ship as an example. */
export const shipped = async () =>
  JSON.parse(await readFile(new URL("../../examples/aws-access-key-policy.json", import.meta.url), "utf8")) as {
    Statement: readonly { Action: readonly string[]; Resource: string }[];
  };

/** The shipped policy's actions: moto checks these, and knows nothing of the user that a policy names. */
export const shippedActions = async () => allow(...(await shipped()).Statement.flatMap(({ Action }) => Action));

export const errorOf = (call: Promise<unknown>) =>
  call.then(
    () => undefined,
    (error: unknown) => error as AdapterError,
  );

/** The access key of a document, as AWS's SDK wants it. */
export const camel = (document: string) => {
  const { AccessKeyId: accessKeyId, SecretAccessKey: secretAccessKey } = JSON.parse(document) as Record<string, string>;
  return { accessKeyId, secretAccessKey };
};
