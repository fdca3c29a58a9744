import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { type AwsIamStrict, startAwsIamStrict } from "../fakes/aws-iam-strict.ts";
import { Host } from "../support/host.ts";
import { type MotoIam, motoIam } from "../support/moto-iam.ts";
import { READER } from "./two-places-host.ts";

const ACTIONS = ["iam:CreateAccessKey", "iam:DeleteAccessKey", "iam:GetAccessKeyLastUsed", "iam:ListAccessKeys", "iam:UpdateAccessKey"];
const POLICY = { Version: "2012-10-17", Statement: [{ Effect: "Allow", Action: ACTIONS, Resource: "*" }] };

let iam: MotoIam | undefined;
let strict: AwsIamStrict | undefined;
let host: Host | undefined;
afterEach(async () => {
  await host?.remove();
  await strict?.close();
  iam?.close();
});

test("an access key that signs its own rotation: the old one makes the new one, and the new one ends the old one", {
  timeout: 120_000,
}, async () => {
  iam = await motoIam();
  strict = await startAwsIamStrict(iam.url);
  const { name: user, accessKey } = await iam.addUser("self-made", POLICY);
  host = new Host(() => ({ config: {} }));
  host.write("reader.mjs", READER);
  host.write("aws.json", accessKey);
  const path = host.path("aws.json");
  host.configure({
    providers: {
      aws: { type: "aws-access-key", user, accessKey: { file: path }, endpoint: strict.url, lastUsedLag: "40ms", lastUsedPrecision: "1s" },
    },
    stores: { local: { type: "file" } },
    consumers: { reader: { type: "command", validate: [process.execPath, join(host.directory, "reader.mjs"), path] } },
    credentials: { "aws-admin": { provider: "aws", store: { use: "local", path }, consumers: [{ use: "reader" }] } },
  });
  await host.start();
  await host.client.call("adopt", { name: "aws-admin" });
  strict.log.length = 0;

  const rotation = await host.settled((await host.rotate("aws-admin")).id, 40_000);
  expect(rotation).toMatchObject({ outcome: "done", stuck: null });
  expect(strict.log.filter((action) => /^(Create|Update|Delete)/.test(action))).toEqual([
    "CreateAccessKey",
    "UpdateAccessKey",
    "DeleteAccessKey",
  ]);
  const now = JSON.parse(host.read("aws.json")) as Record<string, string>;
  const { AccessKeyMetadata: left = [] } = await iam.direct.listAccessKeys({ UserName: user });
  expect(left.map(({ AccessKeyId, Status }) => [AccessKeyId, Status])).toEqual([[now["AccessKeyId"], "Active"]]);
  expect(now["AccessKeyId"]).not.toBe(JSON.parse(accessKey).AccessKeyId);
  for (const half of [now["SecretAccessKey"], JSON.parse(accessKey).SecretAccessKey]) expect(host.log).not.toContain(half);
});
