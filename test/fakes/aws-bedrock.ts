import { AwsRefused, errorAnswer } from "./aws/query.ts";
import { signedBy } from "./aws/signature.ts";
import { iamAction } from "./aws-bedrock/iam.ts";
import { bedrockCall } from "./aws-bedrock/inference.ts";
import { makeVendor, type Vendor } from "./aws-bedrock/vendor.ts";
import { type Answer, type FakeRequest, type HttpFake, startHttpFake } from "./http-fake.ts";

/** One request as the fake saw it. */
interface Seen {
  /** The action of IAM, or the method and path at Bedrock. */
  readonly what: string;
  readonly at: number;
}

/** Faults are on the path of a request: `/` of IAM, with the action behind it, such as `/CreateServiceSpecificCredential`. */
export interface FakeBedrock extends HttpFake<Seen> {
  /** Address of IAM and of Bedrock. */
  readonly url: string;
  readonly vendor: Vendor;
  /** AWS's words for every request of IAM that was refused. */
  readonly refused: string[];
  /** The documents of an access key that may do all, and of one that may only look. */
  readonly admin: string;
  readonly reader: string;
  /** How many rows one page of a listing has at most. */
  pageSize: number;
}

/** Starts IAM's part for keys of Bedrock, and the part of Bedrock that takes them, on one loopback port, with state in memory. */
export async function startFakeBedrock(users: readonly string[] = ["bedrock-user"]): Promise<FakeBedrock> {
  const vendor = makeVendor(users);
  const server = await startHttpFake<Seen>({
    answer: (request) => (isIam(request) ? iam(request) : bedrock(vendor, request)),
    refuse: (status, message, request) => (isIam(request) ? errorAnswer(status, "MadeToFail", message) : { status, body: { message } }),
    limit: (request) =>
      isIam(request) ? errorAnswer(400, "Throttling", "Rate exceeded") : { status: 429, body: { message: "Too many requests" } },
    seen: (request) => ({ what: isIam(request) ? actionOf(request) : `${request.method} ${request.path}`, at: Date.now() }),
    faultPath: (request) => request.path + actionOf(request),
    reset() {
      fake.refused.length = 0;
      Object.assign(vendor.lags, { newKeyMs: 0, revokedMs: 0 });
      fake.pageSize = 1;
    },
  });
  const fake: FakeBedrock = Object.assign(server, {
    vendor,
    refused: [],
    admin: vendor.addCaller(),
    reader: vendor.addCaller(true),
    pageSize: 1,
  });
  return fake;

  function iam(request: FakeRequest): Answer {
    try {
      const id = signedBy(request, "iam", (asked) => vendor.caller(asked)?.secret);
      if (request.method !== "POST" || !/^application\/x-www-form-urlencoded\b/.test(request.contentType))
        throw new AwsRefused("InvalidAction", "The action or operation requested is invalid.");
      return iamAction(vendor, { readOnly: vendor.caller(id)?.readOnly ?? true }, new URLSearchParams(request.text), fake.pageSize);
    } catch (error) {
      if (error instanceof AwsRefused) fake.refused.push(error.word);
      throw error;
    }
  }
}

const isIam = ({ path }: FakeRequest): boolean => path === "/";
const actionOf = (request: FakeRequest): string => (isIam(request) ? (new URLSearchParams(request.text).get("Action") ?? "") : "");

function bedrock(vendor: Vendor, { method, path, query, bearer, text }: FakeRequest): Answer {
  return bedrockCall(vendor, { method, path, query: query.toString(), bearer, body: parse(text) });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
