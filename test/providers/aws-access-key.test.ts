import { SecretsManager } from "@aws-sdk/client-secrets-manager";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { awsSecretsManager } from "../../adapters/stores/aws-secrets-manager.ts";
import { awsAccessKey } from "../../providers/aws-access-key.ts";
import { Secret } from "../../src/contract/secret.ts";
import type { TestWorld } from "../support/world.ts";
import {
  type AccessKeyBench,
  accessKeyBench,
  allow,
  camel,
  errorOf,
  label,
  shipped,
  shippedActions,
  USER,
} from "./aws-access-key-bench.ts";

const { signal } = new AbortController();
let bench: AccessKeyBench;
let iam: AccessKeyBench["iam"];
let strict: AccessKeyBench["strict"];

beforeAll(async () => {
  bench = await accessKeyBench();
  ({ iam, strict } = bench);
});
afterEach(async () => {
  strict.reset();
  await bench.clear(USER);
});
afterAll(() => bench.close());

describe("the value", () => {
  it("is the one line that AWS's tools take from a credential_process", async () => {
    const { id, secret } = await bench.connect().create({ label }, signal);
    expect(secret.reveal()).toMatch(/^\{"Version":1,"AccessKeyId":"\w+","SecretAccessKey":"[^"\s]+"\}$/);
    expect(JSON.parse(secret.reveal()).AccessKeyId).toBe(id);
    expect(awsAccessKey.keyForm?.pattern.test(secret.reveal())).toBe(true);
  });

  it("is not lost where the answer to its one create has no date, which AWS need not give", async () => {
    const exchange: TestWorld["exchange"] = async (request) => {
      const reply = await bench.world.exchange(request);
      return {
        ...reply,
        body: Buffer.from(
          Buffer.from(reply.body)
            .toString("utf8")
            .replace(/<CreateDate>.*?<\/CreateDate>/, ""),
        ),
      };
    };
    const { id, createdAt } = await bench.connect({}, { exchange }).create({ label }, signal);
    expect((await bench.connect({}, { exchange }).list(signal)).map((key) => key.id)).toEqual([id]);
    expect(Math.abs(createdAt.getTime() - Date.now())).toBeLessThan(10_000);
  });

  it("works as the access key of other settings: of this provider, and of the store aws-secrets-manager", async () => {
    await iam.direct.putUserPolicy({
      UserName: USER,
      PolicyName: "admin",
      PolicyDocument: JSON.stringify(allow("iam:ListAccessKeys", "iam:GetAccessKeyLastUsed", "secretsmanager:*")),
    });
    const { secret } = await bench.connect().create({ label }, signal);
    const signing = { secret: async () => secret };
    expect(await bench.connect({}, signing).list(signal)).toHaveLength(1);

    const { accessKeyId = "", secretAccessKey = "" } = camel(secret.reveal());
    const direct = new SecretsManager({ region: "eu-central-1", endpoint: iam.url, credentials: { accessKeyId, secretAccessKey } });
    await direct.createSecret({ Name: "prod/signed", SecretString: "sk-canary-in-the-store" });
    direct.destroy();
    const settings = { region: "eu-central-1", endpoint: iam.url, accessKey: { credential: "admin" } };
    const place = awsSecretsManager.place.parse({ path: "prod/signed" });
    const open = (over: Partial<TestWorld>) =>
      awsSecretsManager.connect(awsSecretsManager.settings.parse(settings), place, { credential: "prod" }, { ...bench.world, ...over });
    expect((await open(signing).read("current", signal))?.reveal()).toBe("sk-canary-in-the-store");
    expect(await errorOf(open({}).read("current", signal)), "another one signs that may not").toMatchObject({ code: "forbidden" });
  });

  it("of another form is no key, and nobody is asked about it", async () => {
    for (const text of ["AKIA", "{}", '{"AccessKeyId":"AKIACANARY","SecretAccessKey":""}', "[1]"]) {
      expect(await bench.connect().verify(new Secret(text), signal), text).toBe("refused");
      expect(await bench.connect().identify(new Secret(text), signal), text).toBeUndefined();
    }
    expect(strict.log).not.toContain("GetCallerIdentity");
  });
});

const errorPage = (word: string) =>
  `<ErrorResponse><Error><Type>Sender</Type><Code>${word}</Code><Message>made to fail</Message></Error></ErrorResponse>`;

describe("verify", () => {
  it.each([
    ["switched off", (id: string) => bench.connect().setEnabled(id, false, signal), "refused"],
    ["deleted", (id: string) => bench.connect().revoke(id, signal), "refused"],
    ["forbidden every call on the way", async (id: string) => strict.forbidden.add(id), "limited"],
  ])("of a key that is %s", async (_, happens, verdict) => {
    const { id, secret } = await bench.connect().create({ label }, signal);
    expect(await bench.connect().verify(secret, signal)).toBe("accepted");
    await happens(id);
    expect(await bench.connect().verify(secret, signal)).toBe(verdict);
  });

  it("of a document with another key's other half proves nothing: it may be the clock", async () => {
    const { id } = await bench.connect().create({ label }, signal);
    const mixed = new Secret(JSON.stringify({ Version: 1, AccessKeyId: id, SecretAccessKey: "canary-of-another-key" }));
    const error = await errorOf(bench.connect().verify(mixed, signal));
    expect(error).toMatchObject({ code: "inconclusive", hint: expect.stringContaining("clock") });
    expect(`${error?.stack}`).not.toContain("canary");
  });

  it.each(["RequestExpired", "ExpiredToken", "MissingAuthenticationToken", "UnrecognizedClientException"])(
    "takes no other word than InvalidClientTokenId for a refusal: %s proves nothing, whatever its status",
    async (word) => {
      const { secret } = await bench.connect().create({ label }, signal);
      for (const status of [400, 403]) {
        strict.faults.add({ path: "/GetCallerIdentity$", times: 1, fault: { do: "reply", status, body: errorPage(word) } });
        expect(await errorOf(bench.connect().verify(secret, signal)), `${status}`).toMatchObject({ code: "inconclusive", retry: true });
      }
    },
  );

  it("needs no right of the user, and no admin key", async () => {
    const { secret } = await bench.connect().create({ label }, signal);
    strict.reset();
    expect(await bench.connect({ accessKey: { credential: "absent" } }).verify(secret, signal)).toBe("accepted");
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
    const [self, other] = [await bench.connect().create({ label }, signal), await bench.connect().create({ label }, signal)];
    const signing = bench.connect({}, { secret: async () => self.secret });
    expect(await signing.lastUse(self.id, signal)).toBeUndefined();
    expect(await signing.lastUse(other.id, signal)).toBeNull();
  });

  it("of a key that is gone by now is not told, and nothing fails", async () => {
    const { id } = await bench.connect().create({ label }, signal);
    strict.faults.add({ path: "/GetAccessKeyLastUsed$", times: 1, fault: { do: "reply", status: 404 } });
    expect(await bench.connect().lastUse(id, signal)).toBeUndefined();
  });

  it("is not asked for by a listing: that would be a call for each key", async () => {
    await bench.connect().create({ label }, signal);
    await bench.connect().create({ label }, signal);
    strict.reset();
    expect(await bench.connect().list(signal)).toHaveLength(2);
    expect(new Set(strict.log)).toEqual(new Set(["ListAccessKeys"]));
  });
});

describe("a key that replaces itself", () => {
  it("with a policy for its own user: the new one signs the end of the old one", async () => {
    const own = await iam.addUser("self-made", await shippedActions());
    let current = new Secret(own.accessKey);
    const provider = bench.connect({ user: own.name }, { secret: async () => current });
    const old = await provider.identify(current, signal);
    const next = await provider.create({ label, ...(old && { like: old }) }, signal);
    current = next.secret;
    await provider.setEnabled(old?.id ?? "", false, signal);
    await provider.revoke(old?.id ?? "", signal);
    expect((await provider.list(signal)).map(({ id }) => id)).toEqual([next.id]);
    await bench.clear(own.name);
  });

  it("is not cut off by its own hand, where accessKey holds a copy that stayed behind", async () => {
    const own = await iam.addUser("left-behind", await shippedActions());
    const provider = bench.connect({ user: own.name }, { secret: async () => new Secret(own.accessKey) });
    const { AccessKeyId: id } = JSON.parse(own.accessKey) as { AccessKeyId: string };
    for (const call of [provider.setEnabled(id, false, signal), provider.revoke(id, signal)])
      expect(await errorOf(call)).toMatchObject({
        code: "misconfigured",
        answered: true,
        message: `aws iam: ${id} signs rotated's own calls`,
      });
    expect(await provider.list(signal)).toMatchObject([{ id, enabled: true }]);
    await bench.clear(own.name);
  });

  it("without one it may not even look", async () => {
    const { secret } = await bench.connect().create({ label }, signal);
    await iam.direct.deleteUserPolicy({ UserName: USER, PolicyName: "self" }).catch(() => undefined);
    await iam.direct.deleteUserPolicy({ UserName: USER, PolicyName: "admin" }).catch(() => undefined);
    const own = bench.connect({}, { secret: async () => secret });
    expect(await errorOf(own.list(signal))).toMatchObject({ code: "forbidden", hint: expect.stringContaining("example policy") });
    expect(await errorOf(own.create({ label }, signal))).toMatchObject({ code: "forbidden", answered: true });
  });
});

it("a user that is not there makes no key look gone", async () => {
  const { id } = await bench.connect().create({ label }, signal);
  await expect(bench.connect({ user: "nobody" }).revoke(id, signal)).rejects.toMatchObject({ code: "notFound" });
  expect((await bench.connect().list(signal)).map((key) => key.id)).toEqual([id]);
});

it.each([
  [{ do: "reply", status: 404, body: errorPage("NoSuchEntity") }, "inconclusive"],
  [{ do: "html", status: 404 }, "malformed"],
] as const)("a single 404 (%j) makes no key look gone that is there", async (fault, code) => {
  const { id } = await bench.connect().create({ label }, signal);
  strict.faults.add({ path: "/DeleteAccessKey$", times: 1, fault });
  expect(await errorOf(bench.connect().revoke(id, signal))).toMatchObject({ code, retry: true });
  expect((await bench.connect().list(signal)).map((key) => key.id)).toEqual([id]);
});

it("a third key is refused as having no room: that can pass, and nothing was made", async () => {
  await bench.connect().create({ label }, signal);
  await bench.connect().create({ label }, signal);
  expect(await errorOf(bench.connect().create({ label }, signal))).toMatchObject({ code: "full", retry: true, answered: true });
});

it("the shipped policy allows what a rotation asks for, and no more", async () => {
  const provider = bench.connect();
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
