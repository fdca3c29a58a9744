import { createServer, type IncomingMessage, type ServerResponse, request as send } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { AwsRefused, checkParameters, errorAnswer, type XmlAnswer } from "./aws/query.ts";
import { type Fault, makeFaults } from "./faults.ts";

/** IAM's access keys and STS as AWS documents them, in front of a moto that is more forgiving. */
export interface AwsIamStrict {
  readonly url: string;
  /** On the path `/` with the action behind it, such as `/CreateAccessKey`. */
  readonly faults: ReturnType<typeof makeFaults>;
  /** The actions that came in, in order. */
  readonly log: string[];
  /** Ids of keys to which something on the way to AWS forbids every call. */
  readonly forbidden: Set<string>;
  connections: number;
  reset(): void;
  close(): Promise<void>;
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

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Starts the proxy. moto itself checks who signed, how, and what the policies of that user allow. */
export async function startAwsIamStrict(moto: string): Promise<AwsIamStrict> {
  /** Keys that are switched off: moto lets them work on, AWS does not. */
  const off = new Set<string>();
  const server = createServer((request, response) => {
    serve(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const strict: AwsIamStrict = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    faults: makeFaults(),
    log: [],
    forbidden: new Set(),
    connections: 0,
    reset() {
      strict.faults.clear();
      strict.log.length = 0;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  server.on("connection", () => {
    strict.connections += 1;
  });
  return strict;

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const text = (await request.toArray()).join("");
    const form = new URLSearchParams(text);
    const action = form.get("Action") ?? "";
    strict.log.push(action);
    const fault = strict.faults.take(request.method ?? "POST", `/${action}`);
    if (fault?.do === "hang") return;
    if (fault?.do === "dropBefore") return void request.socket.destroy();
    if (fault?.do === "delay") await sleep(fault.ms);
    const answer = inPlaceOf(fault) ?? (await work(request, text, form));
    if (fault?.do === "loseReply") return void request.socket.destroy();
    response.writeHead(answer.status, answer.headers).end(answer.body);
  }

  async function work(request: IncomingMessage, text: string, form: URLSearchParams): Promise<Answer> {
    try {
      checkRequest(request, form);
      const answer = await forward(moto, request, text);
      if (answer.status === 200) note(form);
      return form.get("Action") === "ListAccessKeys" && answer.status === 200 ? onePage(answer, form.get("Marker")) : answer;
    } catch (error) {
      if (error instanceof AwsRefused) return xml(error.answer);
      throw error;
    }
  }

  function checkRequest({ headers }: IncomingMessage, form: URLSearchParams): void {
    const [, id, service = ""] = /Credential=(\w+)\/\d+\/[\w-]+\/(\w+)\/aws4_request/.exec(headers.authorization ?? "") ?? [];
    if (id === undefined) throw new AwsRefused("MissingAuthenticationToken", "Request is missing Authentication Token");
    if (off.has(id)) throw new AwsRefused("InvalidClientTokenId", "The security token included in the request is invalid.");
    const action = form.get("Action") ?? "";
    if (strict.forbidden.has(id)) throw new AwsRefused("AccessDenied", `User is not authorized to perform: ${service}:${action}`);
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

/** moto gives all at once; IAM may end a page wherever it likes. */
function onePage(answer: Answer, marker: string | null): Answer {
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
function forward(target: string, request: IncomingMessage, body: string): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const { method, url, headers } = request;
  const { hostname, port } = new URL(target);
  send({ hostname, port, method, path: url, headers: { ...headers, connection: "close" } }, (reply) => {
    reply.toArray().then((parts) => {
      resolve({ status: reply.statusCode ?? 502, headers: { "content-type": "text/xml" }, body: parts.join("") });
    }, reject);
  })
    .on("error", reject)
    .end(body);
  return promise;
}

const xml = ({ status, body, headers = {} }: XmlAnswer): Answer => ({ status, headers: { "content-type": "text/xml", ...headers }, body });

function inPlaceOf(fault: Fault | undefined): Answer | undefined {
  switch (fault?.do) {
    case "reply":
      if (fault.body !== undefined) return { status: fault.status, headers: fault.headers ?? {}, body: JSON.stringify(fault.body) };
      return xml(errorAnswer(fault.status, "MadeToFail", "made to fail", fault.headers));
    case "html":
      return { status: fault.status ?? 200, headers: { "content-type": "text/html" }, body: "<!doctype html><title>Welcome</title>" };
    case "rateLimit":
      return xml(
        errorAnswer(400, "Throttling", "Rate exceeded", fault.retryAfter === undefined ? {} : { "retry-after": fault.retryAfter }),
      );
    default:
      return undefined;
  }
}
