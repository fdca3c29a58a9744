import { readFile } from "node:fs/promises";
import { SecretsManager } from "@aws-sdk/client-secrets-manager";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { awsSecretsManager } from "../../adapters/stores/aws-secrets-manager.ts";
import { awsAccessKey } from "../../providers/aws-access-key.ts";
import type { AdapterError } from "../../src/contract/errors.ts";
import { Secret } from "../../src/contract/secret.ts";
import { type AwsIamStrict, startAwsIamStrict } from "../fakes/aws-iam-strict.ts";
import { type MotoIam, motoIam } from "../support/moto-iam.ts";
import { type TestWorld, testWorld } from "../support/world.ts";

const { signal } = new AbortController();
const label = "rotated-access-key-1";
const USER = "signer";
let iam: MotoIam;
let strict: AwsIamStrict;
let world: TestWorld;
const secrets: Record<string, string> = {};

const allow = (...Action: string[]) => ({ Version: "2012-10-17", Statement: [{ Effect: "Allow", Action, Resource: "*" }] });
const shipped = async () =>
  JSON.parse(await readFile(new URL("../../examples/aws-access-key-policy.json", import.meta.url), "utf8")) as {
    Statement: readonly { Action: readonly string[]; Resource: string }[];
  };
/** The shipped policy's actions: moto checks these, and knows nothing of the user that a policy names. */
const shippedActions = async () => allow(...(await shipped()).Statement.flatMap(({ Action }) => Action));

beforeAll(async () => {
  iam = await motoIam();
  strict = await startAwsIamStrict(iam.url);
  await iam.direct.createUser({ UserName: USER });
  secrets["admin"] = (await iam.addUser("key-admin", await shippedActions())).accessKey;
  secrets["reader"] = (await iam.addUser("key-reader", allow("iam:List*", "iam:Get*"))).accessKey;
  const { AccessKeyId } = JSON.parse(secrets["admin"]);
  secrets["wrong"] = JSON.stringify({ Version: 1, AccessKeyId, SecretAccessKey: "canary-of-somebody-else" });
  secrets["unknown"] = JSON.stringify({ AccessKeyId: "AKIACANARYNOBODY0000", SecretAccessKey: "canary" });
  secrets["text"] = "canary-no-document";
  world = await testWorld({ secrets });
});
afterEach(async () => {
  strict.reset();
  await clear(USER);
});
afterAll(async () => {
  iam.close();
  await strict.close();
  await world.close();
});

async function clear(UserName: string): Promise<void> {
  const { AccessKeyMetadata: rows = [] } = await iam.direct.listAccessKeys({ UserName });
  for (const { AccessKeyId = "" } of rows) await iam.direct.deleteAccessKey({ UserName, AccessKeyId });
}

function connect(settings: object = {}, overrides: Partial<TestWorld> = {}): ReturnType<typeof awsAccessKey.connect> {
  const all = { user: USER, accessKey: { credential: "admin" }, endpoint: strict.url, ...settings };
  return awsAccessKey.connect(awsAccessKey.settings.parse(all), { ...world, ...overrides });
}

const errorOf = (call: Promise<unknown>) =>
  call.then(
    () => undefined,
    (error: unknown) => error as AdapterError,
  );

describe("the value", () => {
  it("is the one line that AWS's tools take from a credential_process", async () => {
    const { id, secret } = await connect().create({ label }, signal);
    expect(secret.reveal()).toMatch(/^\{"Version":1,"AccessKeyId":"\w+","SecretAccessKey":"[^"\s]+"\}$/);
    expect(JSON.parse(secret.reveal()).AccessKeyId).toBe(id);
    expect(awsAccessKey.keyForm?.pattern.test(secret.reveal())).toBe(true);
  });

  it("is not lost where the answer to its one create has no date, which AWS need not give", async () => {
    const exchange: TestWorld["exchange"] = async (request) => {
      const reply = await world.exchange(request);
      return {
        ...reply,
        body: Buffer.from(
          Buffer.from(reply.body)
            .toString("utf8")
            .replace(/<CreateDate>.*?<\/CreateDate>/, ""),
        ),
      };
    };
    const { id, createdAt } = await connect({}, { exchange }).create({ label }, signal);
    expect((await connect({}, { exchange }).list(signal)).map((key) => key.id)).toEqual([id]);
    expect(Math.abs(createdAt.getTime() - Date.now())).toBeLessThan(10_000);
  });

  it("works as the access key of other settings: of this provider, and of the store aws-secrets-manager", async () => {
    await iam.direct.putUserPolicy({
      UserName: USER,
      PolicyName: "admin",
      PolicyDocument: JSON.stringify(allow("iam:ListAccessKeys", "iam:GetAccessKeyLastUsed", "secretsmanager:*")),
    });
    const { secret } = await connect().create({ label }, signal);
    const signing = { secret: async () => secret };
    expect(await connect({}, signing).list(signal)).toHaveLength(1);

    const { accessKeyId = "", secretAccessKey = "" } = camel(secret.reveal());
    const direct = new SecretsManager({ region: "eu-central-1", endpoint: iam.url, credentials: { accessKeyId, secretAccessKey } });
    await direct.createSecret({ Name: "prod/signed", SecretString: "sk-canary-in-the-store" });
    direct.destroy();
    const settings = { region: "eu-central-1", endpoint: iam.url, accessKey: { credential: "admin" } };
    const place = awsSecretsManager.place.parse({ path: "prod/signed" });
    const open = (over: Partial<TestWorld>) =>
      awsSecretsManager.connect(awsSecretsManager.settings.parse(settings), place, { credential: "prod" }, { ...world, ...over });
    expect((await open(signing).read("current", signal))?.reveal()).toBe("sk-canary-in-the-store");
    expect(await errorOf(open({}).read("current", signal)), "another one signs that may not").toMatchObject({ code: "forbidden" });
  });

  it("of another form is no key, and nobody is asked about it", async () => {
    for (const text of ["AKIA", "{}", '{"AccessKeyId":"AKIACANARY","SecretAccessKey":""}', "[1]"]) {
      expect(await connect().verify(new Secret(text), signal), text).toBe("refused");
      expect(await connect().identify(new Secret(text), signal), text).toBeUndefined();
    }
    expect(strict.log).not.toContain("GetCallerIdentity");
  });
});

const errorPage = (word: string) =>
  `<ErrorResponse><Error><Type>Sender</Type><Code>${word}</Code><Message>made to fail</Message></Error></ErrorResponse>`;

const camel = (document: string) => {
  const { AccessKeyId: accessKeyId, SecretAccessKey: secretAccessKey } = JSON.parse(document) as Record<string, string>;
  return { accessKeyId, secretAccessKey };
};

describe("verify", () => {
  it.each([
    ["switched off", (id: string) => connect().setEnabled(id, false, signal), "refused"],
    ["deleted", (id: string) => connect().revoke(id, signal), "refused"],
    ["forbidden every call on the way", async (id: string) => strict.forbidden.add(id), "limited"],
  ])("of a key that is %s", async (_, happens, verdict) => {
    const { id, secret } = await connect().create({ label }, signal);
    expect(await connect().verify(secret, signal)).toBe("accepted");
    await happens(id);
    expect(await connect().verify(secret, signal)).toBe(verdict);
  });

  it("of a document with another key's other half proves nothing: it may be the clock", async () => {
    const { id } = await connect().create({ label }, signal);
    const mixed = new Secret(JSON.stringify({ Version: 1, AccessKeyId: id, SecretAccessKey: "canary-of-another-key" }));
    const error = await errorOf(connect().verify(mixed, signal));
    expect(error).toMatchObject({ code: "inconclusive", hint: expect.stringContaining("clock") });
    expect(`${error?.stack}`).not.toContain("canary");
  });

  it.each(["RequestExpired", "ExpiredToken", "MissingAuthenticationToken", "UnrecognizedClientException"])(
    "takes no other word than InvalidClientTokenId for a refusal: %s proves nothing, whatever its status",
    async (word) => {
      const { secret } = await connect().create({ label }, signal);
      for (const status of [400, 403]) {
        strict.faults.add({ path: "/GetCallerIdentity$", times: 1, fault: { do: "reply", status, body: errorPage(word) } });
        expect(await errorOf(connect().verify(secret, signal)), `${status}`).toMatchObject({ code: "inconclusive", retry: true });
      }
    },
  );

  it("needs no right of the user, and no admin key", async () => {
    const { secret } = await connect().create({ label }, signal);
    strict.reset();
    expect(await connect({ accessKey: { credential: "absent" } }).verify(secret, signal)).toBe("accepted");
    expect(strict.log).toEqual(["GetCallerIdentity"]);
  });
});

describe("the last use", () => {
  it("is told of each key, but not of the one that signs: our own calls are uses, too", async () => {
    await iam.direct.putUserPolicy({
      UserName: USER,
      PolicyName: "self",
      PolicyDocument: JSON.stringify(allow("iam:ListAccessKeys", "iam:GetAccessKeyLastUsed")),
    });
    const [self, other] = [await connect().create({ label }, signal), await connect().create({ label }, signal)];
    const signing = connect({}, { secret: async () => self.secret });
    expect(await signing.lastUse(self.id, signal)).toBeUndefined();
    expect(await signing.lastUse(other.id, signal)).toBeNull();
  });

  it("of a key that is gone by now is not told, and nothing fails", async () => {
    const { id } = await connect().create({ label }, signal);
    strict.faults.add({ path: "/GetAccessKeyLastUsed$", times: 1, fault: { do: "reply", status: 404 } });
    expect(await connect().lastUse(id, signal)).toBeUndefined();
  });

  it("is not asked for by a listing: that would be a call for each key", async () => {
    await connect().create({ label }, signal);
    await connect().create({ label }, signal);
    strict.reset();
    expect(await connect().list(signal)).toHaveLength(2);
    expect(new Set(strict.log)).toEqual(new Set(["ListAccessKeys"]));
  });
});

describe("a key that replaces itself", () => {
  it("with a policy for its own user: the new one signs the end of the old one", async () => {
    const own = await iam.addUser("self-made", await shippedActions());
    let current = new Secret(own.accessKey);
    const provider = connect({ user: own.name }, { secret: async () => current });
    const old = await provider.identify(current, signal);
    const next = await provider.create({ label, ...(old && { like: old }) }, signal);
    current = next.secret;
    await provider.setEnabled(old?.id ?? "", false, signal);
    await provider.revoke(old?.id ?? "", signal);
    expect((await provider.list(signal)).map(({ id }) => id)).toEqual([next.id]);
    await clear(own.name);
  });

  it("is not cut off by its own hand, where accessKey holds a copy that stayed behind", async () => {
    const own = await iam.addUser("left-behind", await shippedActions());
    const provider = connect({ user: own.name }, { secret: async () => new Secret(own.accessKey) });
    const { AccessKeyId: id } = JSON.parse(own.accessKey) as { AccessKeyId: string };
    for (const call of [provider.setEnabled(id, false, signal), provider.revoke(id, signal)])
      expect(await errorOf(call)).toMatchObject({
        code: "misconfigured",
        answered: true,
        message: `aws iam: ${id} signs rotated's own calls`,
      });
    expect(await provider.list(signal)).toMatchObject([{ id, enabled: true }]);
    await clear(own.name);
  });

  it("without one it may not even look", async () => {
    const { secret } = await connect().create({ label }, signal);
    await iam.direct.deleteUserPolicy({ UserName: USER, PolicyName: "self" }).catch(() => undefined);
    await iam.direct.deleteUserPolicy({ UserName: USER, PolicyName: "admin" }).catch(() => undefined);
    const own = connect({}, { secret: async () => secret });
    expect(await errorOf(own.list(signal))).toMatchObject({ code: "forbidden", hint: expect.stringContaining("example policy") });
    expect(await errorOf(own.create({ label }, signal))).toMatchObject({ code: "forbidden", answered: true });
  });
});

describe("who signs", () => {
  it.each([
    ["reader", "forbidden"],
    ["unknown", "unauthorized"],
    ["wrong", "unauthorized"],
    ["text", "misconfigured"],
  ])("%s: %s, and nothing of the key in any word", async (credential, code) => {
    const error = await errorOf(connect({ accessKey: { credential } }).create({ label }, signal));
    expect(error).toMatchObject({ code, answered: true, retry: false });
    const { SecretAccessKey: half = "canary" } = credential === "text" ? {} : JSON.parse(secrets[credential] ?? "{}");
    const words = `${error?.stack} ${error?.hint} ${JSON.stringify(error)} ${String(error?.cause)}`;
    for (const secret of [half, "canary"]) expect(words).not.toContain(secret);
  });

  it("is AWS's own chain where nothing is said", async () => {
    const { accessKeyId = "", secretAccessKey = "" } = camel(secrets["admin"] ?? "");
    Object.assign(process.env, { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey });
    try {
      expect(await connect({ accessKey: undefined }).list(signal)).toEqual([]);
    } finally {
      delete process.env["AWS_ACCESS_KEY_ID"];
      delete process.env["AWS_SECRET_ACCESS_KEY"];
    }
  });

  it.each([
    ["eu-central-1", "us-east-1"],
    ["cn-northwest-1", "cn-north-1"],
    ["us-gov-east-1", "us-gov-west-1"],
  ])("signs for %s where STS is asked, and for IAM's home %s", async (region, home) => {
    const scopes: unknown[] = [];
    const exchange: TestWorld["exchange"] = async ({ headers }) => {
      scopes.push(/Credential=\w+\/\d+\/([\w-]+\/\w+)\//.exec(headers["authorization"] ?? "")?.[1]);
      return { status: 503, headers: {}, body: new Uint8Array() };
    };
    const provider = connect({ region }, { exchange });
    await errorOf(provider.list(signal));
    await errorOf(provider.verify(new Secret(secrets["admin"] ?? ""), signal));
    expect(scopes).toEqual([`${home}/iam`, `${region}/sts`]);
  });

  it("is a role that the key may take on", async () => {
    const principal = { AWS: `arn:aws:iam::123456789012:user/${(await iam.addUser("lender", allow("sts:AssumeRole"))).name}` };
    const trust = { Version: "2012-10-17", Statement: [{ Effect: "Allow", Principal: principal, Action: "sts:AssumeRole" }] };
    const { Role } = await iam.direct.createRole({ RoleName: "key-admin", AssumeRolePolicyDocument: JSON.stringify(trust) });
    await iam.direct.putRolePolicy({ RoleName: "key-admin", PolicyName: "own", PolicyDocument: JSON.stringify(await shippedActions()) });
    const { AccessKey } = await iam.direct.createAccessKey({ UserName: "lender" });
    const { AccessKeyId, SecretAccessKey } = AccessKey ?? {};
    const secret = async () => new Secret(JSON.stringify({ AccessKeyId, SecretAccessKey }));
    expect(await connect({ assumeRole: Role?.Arn }, { secret }).list(signal)).toEqual([]);
    expect(strict.log).toEqual(["AssumeRole", "ListAccessKeys"]);
    expect(await errorOf(connect({}, { secret }).list(signal)), "and not by itself").toMatchObject({ code: "forbidden" });

    const sts = await startAwsIamStrict(iam.url);
    strict.log.length = 0;
    const apart = connect({ assumeRole: Role?.Arn, stsEndpoint: sts.url }, { secret });
    expect(await apart.list(signal)).toEqual([]);
    expect(await apart.verify(new Secret((await iam.addUser("asks-sts")).accessKey), signal)).toBe("accepted");
    expect([sts.log, strict.log]).toEqual([["AssumeRole", "GetCallerIdentity"], ["ListAccessKeys"]]);
    await sts.close();
  });
});

it("a user that is not there makes no key look gone", async () => {
  const { id } = await connect().create({ label }, signal);
  await expect(connect({ user: "nobody" }).revoke(id, signal)).rejects.toMatchObject({ code: "notFound" });
  expect((await connect().list(signal)).map((key) => key.id)).toEqual([id]);
});

it.each([
  [{ do: "reply", status: 404, body: errorPage("NoSuchEntity") }, "inconclusive"],
  [{ do: "html", status: 404 }, "malformed"],
] as const)("a single 404 (%j) makes no key look gone that is there", async (fault, code) => {
  const { id } = await connect().create({ label }, signal);
  strict.faults.add({ path: "/DeleteAccessKey$", times: 1, fault });
  expect(await errorOf(connect().revoke(id, signal))).toMatchObject({ code, retry: true });
  expect((await connect().list(signal)).map((key) => key.id)).toEqual([id]);
});

it("a third key is refused as having no room: that can pass, and nothing was made", async () => {
  await connect().create({ label }, signal);
  await connect().create({ label }, signal);
  expect(await errorOf(connect().create({ label }, signal))).toMatchObject({ code: "full", retry: true, answered: true });
});

it("the shipped policy allows what a rotation asks for, and no more", async () => {
  const provider = connect();
  const { id, secret } = await provider.create({ label }, signal);
  await provider.verify(secret, signal);
  await provider.identify(secret, signal);
  await provider.lastUse(id, signal);
  await provider.setEnabled(id, false, signal);
  await provider.revoke(id, signal);
  // GetCallerIdentity needs no right.
  const made = strict.log.filter((action) => action !== "GetCallerIdentity").map((action) => `iam:${action}`);
  const { Statement } = await shipped();
  expect(new Set(made)).toEqual(new Set(Statement.flatMap(({ Action }) => Action)));
  for (const { Resource } of Statement) expect(Resource, "of one user").toMatch(/^arn:aws:iam::\d+:user\/[\w-]+$/);
});
