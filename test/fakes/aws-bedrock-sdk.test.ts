import { IAM, paginateListAccessKeys } from "@aws-sdk/client-iam";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { MODEL } from "./aws-bedrock/inference.ts";
import { type FakeBedrock, startFakeBedrock } from "./aws-bedrock.ts";

/** AWS's own client judges the fake: what it cannot read, sign or send otherwise, the fake has wrong. */
let fake: FakeBedrock;
let iam: IAM;
const UserName = "sdk-user";
const ServiceName = "bedrock.amazonaws.com";

beforeAll(async () => {
  fake = await startFakeBedrock([UserName]);
  iam = open(fake.admin);
});
afterEach(() => {
  fake.reset();
  fake.vendor.clear();
});
afterAll(async () => {
  iam.destroy();
  await fake.close();
});

function open(document: string, change: Partial<Record<"accessKeyId" | "secretAccessKey", string>> = {}): IAM {
  const { AccessKeyId: accessKeyId, SecretAccessKey: secretAccessKey } = JSON.parse(document);
  const credentials = { accessKeyId, secretAccessKey, ...change };
  return new IAM({ region: "us-east-1", endpoint: fake.url, credentials, maxAttempts: 1 });
}

async function make(CredentialAgeDays?: number) {
  const input = { UserName, ServiceName, ...(CredentialAgeDays !== undefined && { CredentialAgeDays }) };
  const { ServiceSpecificCredential: made } = await iam.createServiceSpecificCredential(input);
  return { ...made, id: made?.ServiceSpecificCredentialId ?? "", secret: made?.ServiceCredentialSecret ?? "" };
}

async function bedrock(path: string, secret: string, body?: object): Promise<{ status: number; body: Record<string, unknown> }> {
  const init = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
  const response = await fetch(`${fake.url}${path}`, { ...init, headers: { authorization: `Bearer ${secret}` } });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

describe("keys of a service, to AWS's client", () => {
  it("are made with a secret that is shown once, and with an end where one is wished", async () => {
    const made = await make(30);
    expect(made).toMatchObject({ UserName, ServiceName, Status: "Active", ServiceCredentialAlias: expect.stringContaining(UserName) });
    expect(Number(made.ExpirationDate) - Number(made.CreateDate)).toBe(30 * 86_400_000);
    expect(Buffer.from(made.secret.slice(4), "base64").toString("latin1")).toMatch(`${made.ServiceCredentialAlias}:`);
    const { ServiceSpecificCredentials: [row] = [] } = await iam.listServiceSpecificCredentials({ UserName });
    expect(row).toMatchObject({ ServiceSpecificCredentialId: made.id, Status: "Active", ExpirationDate: made.ExpirationDate });
    expect(JSON.stringify(row)).not.toContain("canary");
    expect((await make()).ExpirationDate).toBeUndefined();
  });

  it("are listed in pages that end anywhere, and an empty list is a list", async () => {
    expect((await iam.listServiceSpecificCredentials({ UserName })).ServiceSpecificCredentials).toEqual([]);
    const ids = [(await make()).id, (await make()).id];
    const first = await iam.listServiceSpecificCredentials({ UserName, ServiceName });
    expect(first).toMatchObject({ IsTruncated: true, ServiceSpecificCredentials: [{ ServiceSpecificCredentialId: ids[0] }] });
    const second = await iam.listServiceSpecificCredentials({ UserName, ServiceName, Marker: first.Marker });
    expect(second).toMatchObject({ IsTruncated: false, ServiceSpecificCredentials: [{ ServiceSpecificCredentialId: ids[1] }] });
    fake.pageSize = 100;
    expect((await iam.listServiceSpecificCredentials({ UserName, ServiceName })).ServiceSpecificCredentials).toHaveLength(2);
  });

  it("are switched off and on, and expire by themselves", async () => {
    const { id } = await make(1);
    const status = async () => (await iam.listServiceSpecificCredentials({ UserName })).ServiceSpecificCredentials?.[0]?.Status;
    for (const Status of ["Inactive", "Active"] as const) {
      await iam.updateServiceSpecificCredential({ UserName, ServiceSpecificCredentialId: id, Status });
      expect(await status()).toBe(Status);
    }
    Object.assign(fake.vendor.key(id), { expiresAt: Date.now() - 1 });
    expect(await status()).toBe("Expired");
  });

  it.each([
    ["a third one", "LimitExceededException", async () => [await make(), await make(), await make()]],
    ["a user that is not there", "NoSuchEntityException", () => iam.listServiceSpecificCredentials({ UserName: "nobody" })],
    [
      "a key that is gone",
      "NoSuchEntityException",
      async () => {
        const request = { UserName, ServiceSpecificCredentialId: (await make()).id };
        await iam.deleteServiceSpecificCredential(request);
        await iam.deleteServiceSpecificCredential(request);
      },
    ],
    [
      "another service",
      "ServiceNotSupportedException",
      () => iam.createServiceSpecificCredential({ UserName, ServiceName: "s3.amazonaws.com" }),
    ],
    ["no days at all", "ValidationError", () => make(0)],
    ["more days than there are", "ValidationError", () => make(36_601)],
    ["a state that only AWS can bring about", "ValidationError", async () => expire((await make()).id)],
    ["a page that never was", "ValidationError", () => iam.listServiceSpecificCredentials({ UserName, Marker: "nowhere" })],
    ["a parameter of something else", "ValidationError", () => withMore("&Colour=red").listServiceSpecificCredentials({ UserName })],
    ["an action that it does not have", "InvalidAction", () => drain(paginateListAccessKeys({ client: iam }, {}))],
    ["who may only look", "AccessDenied", () => open(fake.reader).createServiceSpecificCredential({ UserName, ServiceName })],
    [
      "who is not known",
      "InvalidClientTokenId",
      () => open(fake.admin, { accessKeyId: "AKIACANARYNOBODY0000" }).listServiceSpecificCredentials({}),
    ],
    [
      "who signs wrongly",
      "SignatureDoesNotMatch",
      () => open(fake.admin, { secretAccessKey: "canary" }).listServiceSpecificCredentials({}),
    ],
  ])("%s is refused as %s", async (_, name, call) => {
    await expect(call()).rejects.toMatchObject({ name });
  });
});

const expire = (ServiceSpecificCredentialId: string) =>
  iam.updateServiceSpecificCredential({ UserName, ServiceSpecificCredentialId, Status: "Expired" });

/** A client that sends more than it knows, and signs it. */
function withMore(text: string): IAM {
  const client = open(fake.admin);
  client.middlewareStack.add(
    (next) => (args) => {
      const request = args.request as { body: string };
      request.body += text;
      return next(args);
    },
    { step: "build", priority: "high" },
  );
  return client;
}

async function drain(pages: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of pages);
}

describe("strictness of IAM", () => {
  const post = async (body: string, headers: Record<string, string>) =>
    (await fetch(fake.url, { method: "POST", body, headers: { "content-type": "application/x-www-form-urlencoded", ...headers } })).status;

  it("takes no request without a signature, nor one of another day", async () => {
    const credential = `Credential=AKIAX/20200101/us-east-1/iam/aws4_request, SignedHeaders=host;x-amz-date, Signature=${"0".repeat(64)}`;
    const old = { authorization: `AWS4-HMAC-SHA256 ${credential}`, "x-amz-date": "20200101T000000Z" };
    expect(await post("Action=ListServiceSpecificCredentials&Version=2010-05-08", {})).toBe(403);
    expect(await post("Action=ListServiceSpecificCredentials&Version=2010-05-08", old)).toBe(400);
    expect(fake.refused).toEqual(["MissingAuthenticationToken", "RequestExpired"]);
  });
});

describe("Bedrock, with such a key", () => {
  const ask = { messages: [{ role: "user", content: [{ text: "ping" }] }], inferenceConfig: { maxTokens: 1 } };
  const converse = `/model/${encodeURIComponent(MODEL)}/converse`;

  it("lists the models and converses", async () => {
    const { secret } = await make();
    expect((await bedrock("/foundation-models", secret)).status).toBe(200);
    expect((await bedrock(converse, secret, ask)).body).toMatchObject({ stopReason: "max_tokens" });
    expect((await bedrock("/openai/v1/chat/completions", secret, { model: MODEL, messages: [] })).status).toBe(200);
  });

  it("takes no unknown model, field or path", async () => {
    const { secret } = await make();
    expect((await bedrock("/model/other/converse", secret, ask)).status).toBe(400);
    expect((await bedrock(converse, secret, { ...ask, colour: "red" })).status).toBe(400);
    expect((await bedrock(converse, secret, { messages: ["ping"] })).status).toBe(400);
    expect((await bedrock("/models", secret)).status).toBe(404);
  });

  it("refuses at the door what is no key, switched off, deleted, expired or denied, each in its sentence", async () => {
    const { id, secret } = await make(1);
    const said = async (bearer: string) => (await bedrock("/foundation-models", bearer)).body["Message"];
    const unknown = "Authentication failed: Please make sure your API Key is valid.";
    expect(await said("sk-canary-0")).toMatch(/^Invalid API Key format/);
    expect(await said("ABSKcanary")).toBe(unknown);
    fake.vendor.setActive(fake.vendor.key(id), false);
    expect(await said(secret)).toBe(unknown);
    fake.vendor.setActive(fake.vendor.key(id), true);
    Object.assign(fake.vendor.key(id), { denied: true });
    expect(await said(secret)).toMatch(/not authorized to perform: bedrock:CallWithBearerToken/);
    Object.assign(fake.vendor.key(id), { expiresAt: Date.now() - 1 });
    expect(await said(secret)).toBe("Bearer Token has expired");
    await iam.deleteServiceSpecificCredential({ UserName, ServiceSpecificCredentialId: id });
    expect(await said(secret)).toBe(unknown);
  });

  it("gets to know a new key late, and a deleted one as well, when it is told to lag", async () => {
    Object.assign(fake.vendor.lags, { newKeyMs: 3_600_000 });
    const { id, secret } = await make();
    expect((await bedrock("/foundation-models", secret)).status).toBe(403);
    Object.assign(fake.vendor.lags, { newKeyMs: 0, revokedMs: 3_600_000 });
    await iam.deleteServiceSpecificCredential({ UserName, ServiceSpecificCredentialId: id });
    expect((await bedrock("/foundation-models", secret)).status).toBe(200);
  });
});
