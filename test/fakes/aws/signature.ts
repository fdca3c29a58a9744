import { createHash, createHmac } from "node:crypto";
import type { FakeRequest } from "../http-fake.ts";
import { AwsRefused } from "./query.ts";

const FORM =
  /^AWS4-HMAC-SHA256 Credential=(\w+)\/(\d{8})\/([\w-]+)\/(\w+)\/aws4_request, ?SignedHeaders=([\w;-]+), ?Signature=([0-9a-f]{64})$/;
const MOST_SKEW_MS = 15 * 60_000;

/** Whose access key signed a request, by Signature Version 4 done anew; throws AWS's refusals. `secretOf` knows the active keys. */
export function signedBy(request: FakeRequest, service: string, secretOf: (id: string) => string | undefined): string {
  const { headers } = request;
  const { authorization } = headers;
  if (authorization === undefined) throw new AwsRefused("MissingAuthenticationToken", "Request is missing Authentication Token");
  const [, id = "", day = "", region = "", scope = "", names = "", signature] = FORM.exec(authorization) ?? [];
  const at = String(headers["x-amz-date"]);
  if (signature === undefined || scope !== service || !at.startsWith(day) || !names.split(";").includes("host"))
    throw new AwsRefused("IncompleteSignature", "The request signature does not conform to AWS standards");
  if (Math.abs(Date.now() - timeOf(at)) > MOST_SKEW_MS) throw new AwsRefused("RequestExpired", "Signature expired");
  const secret = secretOf(id);
  if (secret === undefined) throw new AwsRefused("InvalidClientTokenId", "The security token included in the request is invalid.");

  const query = [...request.query].map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).sort();
  const lines = names.split(";").map((name) => `${name}:${String(headers[name]).trim()}\n`);
  const canonical = [request.method, request.path, query.join("&"), lines.join(""), names, sha256(request.text)].join("\n");
  const toSign = ["AWS4-HMAC-SHA256", at, `${day}/${region}/${scope}/aws4_request`, sha256(canonical)].join("\n");
  const key = [day, region, scope, "aws4_request"].reduce<Uint8Array | string>(hmac, `AWS4${secret}`);
  if (Buffer.from(hmac(key, toSign)).toString("hex") !== signature)
    throw new AwsRefused("SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided.");
  return id;
}

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
const hmac = (key: Uint8Array | string, text: string): Uint8Array => createHmac("sha256", key).update(text).digest();
const timeOf = (at: string) => Date.parse(at.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, "$1-$2-$3T$4:$5:$6Z"));
