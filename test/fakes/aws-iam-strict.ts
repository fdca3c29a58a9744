import { request as send } from "node:http";
import { AwsRefused, checkParameters, errorAnswer, type XmlAnswer } from "./aws/query.ts";
import { type FakeRequest, type HttpFake, startHttpFake } from "./http-fake.ts";

/**
 * IAM's access keys and STS as AWS documents them, in front of a moto that is more forgiving. Its log has the actions
 * that came in; faults are on the path `/` with the action behind it, such as `/CreateAccessKey`.
 */
export interface AwsIamStrict extends HttpFake {
  /** Ids of keys to which something on the way to AWS forbids every call. */
  readonly forbidden: Set<string>;
}

const USER = /^[\w+=,.@-]{1,64}$/;
const ID = /^\w{1,128}$/;
const PAGING = { Marker: /^\w+$/, MaxItems: /^[1-9]\d{0,2}$|^1000$/ } as const;

/** The actions that rotated makes, with their parameters; any other is passed on as it is. */
const PARAMETERS: Readonly<Record<string, Readonly<Record<string, RegExp>>>> = {
  CreateAccessKey: { UserName: USER },
  ListAccessKeys: { UserName: USER, ...PAGING },
  UpdateAccessKey: { UserName: USER, AccessKeyId: ID, Status: /^(Active|Inactive)$/ },
  DeleteAccessKey: { UserName: USER, AccessKeyId: ID },
  GetAccessKeyLastUsed: { AccessKeyId: ID },
  GetCallerIdentity: {},
};
const VERSIONS: Readonly<Record<string, string>> = { iam: "2010-05-08", sts: "2011-06-15" };

/** Starts the proxy. moto itself checks who signed, how, and what the policies of that user allow. */
export async function startAwsIamStrict(moto: string): Promise<AwsIamStrict> {
  /** Keys that are switched off: moto lets them work on, AWS does not. */
  const off = new Set<string>();
  const forbidden = new Set<string>();
  const server = await startHttpFake({
    answer: work,
    refuse: (status, message) => errorAnswer(status, "MadeToFail", message),
    limit: () => errorAnswer(400, "Throttling", "Rate exceeded"),
    seen: actionOf,
    faultPath: (request) => `/${actionOf(request)}`,
  });
  return Object.assign(server, { forbidden });

  async function work(request: FakeRequest): Promise<XmlAnswer> {
    const form = new URLSearchParams(request.text);
    checkRequest(request, form);
    const answer = await forward(moto, request);
    if (answer.status === 200) note(form);
    return actionOf(request) === "ListAccessKeys" && answer.status === 200 ? onePage(answer, form.get("Marker")) : answer;
  }

  function checkRequest({ headers }: FakeRequest, form: URLSearchParams): void {
    const [, id, region = "", service = ""] =
      /Credential=(\w+)\/\d+\/([\w-]+)\/(\w+)\/aws4_request/.exec(headers["authorization"] ?? "") ?? [];
    if (id === undefined) throw new AwsRefused("MissingAuthenticationToken", "Request is missing Authentication Token");
    if (service === "iam" && region !== "us-east-1")
      throw new AwsRefused("SignatureDoesNotMatch", `Credential should be scoped to a valid region, not '${region}'.`);
    if (off.has(id)) throw new AwsRefused("InvalidClientTokenId", "The security token included in the request is invalid.");
    const action = form.get("Action") ?? "";
    if (forbidden.has(id)) throw new AwsRefused("AccessDenied", `User is not authorized to perform: ${service}:${action}`);
    const known = PARAMETERS[action];
    if (known === undefined) return;
    if (form.get("Version") !== VERSIONS[service]) throw new AwsRefused("InvalidAction", `Could not find operation ${action}`);
    checkParameters(form, known);
  }

  function note(form: URLSearchParams): void {
    const id = form.get("AccessKeyId") ?? "";
    if (form.get("Action") === "UpdateAccessKey" && form.get("Status") === "Inactive") off.add(id);
    else if (form.get("Action") === "UpdateAccessKey") off.delete(id);
  }
}

const actionOf = ({ text }: FakeRequest): string => new URLSearchParams(text).get("Action") ?? "";

/** moto gives all at once; IAM may end a page wherever it likes. */
function onePage(answer: XmlAnswer, marker: string | null): XmlAnswer {
  const members = answer.body.match(/<member>.*?<\/member>/gs) ?? [];
  const idOf = (member = "") => /<AccessKeyId>(\w+)</.exec(member)?.[1];
  const from = marker === null ? 0 : members.findIndex((member) => idOf(member) === marker);
  if (from < 0) throw new AwsRefused("ValidationError", "Invalid Marker");
  const next = idOf(members[from + 1]);
  const marks = `<IsTruncated>${next !== undefined}</IsTruncated>${next === undefined ? "" : `<Marker>${next}</Marker>`}`;
  const page = `<AccessKeyMetadata>${members[from] ?? ""}</AccessKeyMetadata>${marks}`;
  const body = answer.body.replace(/<AccessKeyMetadata>.*<\/AccessKeyMetadata>|<AccessKeyMetadata\s*\/>/s, page);
  return { ...answer, body };
}

/** With the headers as they came: the host is a part of what was signed. */
function forward(moto: string, { method, target, headers, text }: FakeRequest): Promise<XmlAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<XmlAnswer>();
  const { hostname, port } = new URL(moto);
  send({ hostname, port, method, path: target, headers: { ...headers, connection: "close" } }, (reply) => {
    reply.toArray().then((parts) => {
      resolve({ status: reply.statusCode ?? 502, headers: { "content-type": "text/xml" }, body: parts.join("") });
    }, reject);
  })
    .on("error", reject)
    .end(text);
  return promise;
}
