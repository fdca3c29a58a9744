import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { Secret } from "../../src/contract/secret.ts";
import { startAwsIamStrict } from "../fakes/aws-iam-strict.ts";
import type { TestWorld } from "../support/world.ts";
import { type AccessKeyBench, accessKeyBench, allow, camel, errorOf, label, shippedActions, USER } from "./aws-access-key-bench.ts";

const { signal } = new AbortController();
let bench: AccessKeyBench;
let iam: AccessKeyBench["iam"];
let strict: AccessKeyBench["strict"];

beforeAll(async () => {
  bench = await accessKeyBench();
  ({ iam, strict } = bench);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  strict.reset();
  await bench.clear(USER);
});
afterAll(() => bench.close());

describe("who signs", () => {
  it.each([
    ["reader", "forbidden"],
    ["unknown", "unauthorized"],
    ["wrong", "unauthorized"],
    ["text", "misconfigured"],
  ])("%s: %s, and nothing of the key in any word", async (credential, code) => {
    const error = await errorOf(bench.connect({ accessKey: { credential } }).create({ label }, signal));
    expect(error).toMatchObject({ code, answered: true, retry: false });
    const { SecretAccessKey: half = "canary" } = credential === "text" ? {} : JSON.parse(bench.secrets[credential] ?? "{}");
    const words = `${error?.stack} ${error?.hint} ${JSON.stringify(error)} ${String(error?.cause)}`;
    for (const secret of [half, "canary"]) expect(words).not.toContain(secret);
  });

  it("is AWS's own chain where nothing is said", async () => {
    const { accessKeyId = "", secretAccessKey = "" } = camel(bench.secrets["admin"] ?? "");
    Object.assign(process.env, { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey });
    try {
      expect(await bench.connect({ accessKey: undefined }).list(signal)).toEqual([]);
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
    const provider = bench.connect({ region }, { exchange });
    await errorOf(provider.list(signal));
    await errorOf(provider.verify(new Secret(bench.secrets["admin"] ?? ""), signal));
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
    expect(await bench.connect({ assumeRole: Role?.Arn }, { secret }).list(signal)).toEqual([]);
    expect(strict.log).toEqual(["AssumeRole", "ListAccessKeys"]);
    expect(await errorOf(bench.connect({}, { secret }).list(signal)), "and not by itself").toMatchObject({ code: "forbidden" });

    const sts = await startAwsIamStrict(iam.url);
    strict.log.length = 0;
    const apart = bench.connect({ assumeRole: Role?.Arn, stsEndpoint: sts.url }, { secret });
    expect(await apart.list(signal)).toEqual([]);
    expect(await apart.verify(new Secret((await iam.addUser("asks-sts")).accessKey), signal)).toBe("accepted");
    expect([sts.log, strict.log]).toEqual([["AssumeRole", "GetCallerIdentity"], ["ListAccessKeys"]]);
    await sts.close();
  });

  it("is waited for no longer than the call may take: STS may hang, or a program of AWS's own chain", { timeout: 10_000 }, async () => {
    strict.faults.add({ path: "/AssumeRole$", fault: { do: "hang" } });
    const provider = bench.connect({ assumeRole: "arn:aws:iam::123456789012:role/key-admin" });
    expect(await errorOf(provider.list(AbortSignal.timeout(100)))).toMatchObject({ code: "timeout" });
    expect(await errorOf(provider.create({ label }, AbortSignal.timeout(100)))).toMatchObject({ code: "timeout" });
    expect(strict.log).not.toContain("CreateAccessKey");
  });

  it("is read anew where AWS's own chain found one that is refused: a person has replaced it in the profile", async () => {
    const directory = mkdtempSync(join(tmpdir(), "rotated-aws-"));
    const profile = join(directory, "credentials");
    const put = (credential: string) => {
      const { accessKeyId, secretAccessKey } = camel(bench.secrets[credential] ?? "");
      writeFileSync(profile, `[default]\naws_access_key_id = ${accessKeyId}\naws_secret_access_key = ${secretAccessKey}\n`);
    };
    for (const name of ["AWS_ACCESS_KEY_ID", "AWS_PROFILE"]) vi.stubEnv(name, undefined);
    vi.stubEnv("AWS_SHARED_CREDENTIALS_FILE", profile);
    vi.stubEnv("AWS_CONFIG_FILE", join(directory, "config"));
    put("unknown");
    const provider = bench.connect({ accessKey: undefined });
    expect(await errorOf(provider.list(signal))).toMatchObject({ code: "unauthorized" });
    put("admin");
    expect(await provider.list(signal)).toEqual([]);
    rmSync(directory, { recursive: true });
  });
});
