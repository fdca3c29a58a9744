import { IAM } from "@aws-sdk/client-iam";
import { moto } from "./moto.ts";

/** A user of moto's IAM that may do what its policy says, with one access key. */
export interface MotoUser {
  readonly name: string;
  /** The document of its access key. */
  readonly accessKey: string;
}

/** This process's moto, which from now on checks signatures and policies as AWS does. */
export interface MotoIam {
  readonly url: string;
  /** IAM itself, as somebody who may do all. */
  readonly direct: IAM;
  /** Makes a user with an inline policy, or one that may do nothing. */
  addUser(name: string, policy?: object): Promise<MotoUser>;
  close(): void;
}

const ALL = { Version: "2012-10-17", Statement: [{ Effect: "Allow", Action: "*", Resource: "*" }] };

export async function motoIam(): Promise<MotoIam> {
  const url = await moto();
  const open = (accessKeyId: string, secretAccessKey: string) =>
    new IAM({ region: "us-east-1", endpoint: url, credentials: { accessKeyId, secretAccessKey }, maxAttempts: 1 });
  const anybody = open("AKIACANARYANYBODY000", "canary");
  await anybody.createUser({ UserName: "root-like" });
  await anybody.putUserPolicy({ UserName: "root-like", PolicyName: "all", PolicyDocument: JSON.stringify(ALL) });
  const { AccessKey: key } = await anybody.createAccessKey({ UserName: "root-like" });
  anybody.destroy();
  await fetch(`${url}/moto-api/reset-auth`, { method: "POST", body: "0" });
  const direct = open(key?.AccessKeyId ?? "", key?.SecretAccessKey ?? "");

  return {
    url,
    direct,
    async addUser(name, policy) {
      await direct.createUser({ UserName: name });
      if (policy !== undefined) await direct.putUserPolicy({ UserName: name, PolicyName: "own", PolicyDocument: JSON.stringify(policy) });
      const { AccessKey: made } = await direct.createAccessKey({ UserName: name });
      const { AccessKeyId, SecretAccessKey } = made ?? {};
      return { name, accessKey: JSON.stringify({ Version: 1, AccessKeyId, SecretAccessKey }) };
    },
    close: () => direct.destroy(),
  };
}
