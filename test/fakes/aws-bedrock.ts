import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { AwsRefused, errorAnswer } from "./aws/query.ts";
import { signedBy } from "./aws/signature.ts";
import { iamAction } from "./aws-bedrock/iam.ts";
import { bedrockCall } from "./aws-bedrock/inference.ts";
import { makeVendor, type Vendor } from "./aws-bedrock/vendor.ts";
import { type Fault, makeFaults } from "./faults.ts";

/** One request as the fake saw it. */
interface Seen {
  /** The action of IAM, or the method and path at Bedrock. */
  readonly what: string;
  readonly at: number;
}

export interface FakeBedrock {
  /** Address of IAM and of Bedrock. */
  readonly url: string;
  readonly vendor: Vendor;
  /** On the path of a request: `/` of IAM, with the action behind it, such as `/CreateServiceSpecificCredential`. */
  readonly faults: ReturnType<typeof makeFaults>;
  readonly log: Seen[];
  /** AWS's words for every request of IAM that was refused. */
  readonly refused: string[];
  /** How many connections were ever opened to it. */
  connections: number;
  /** The documents of an access key that may do all, and of one that may only look. */
  readonly admin: string;
  readonly reader: string;
  /** How many rows one page of a listing has at most. */
  pageSize: number;
  /** Forgets faults, delays and the log; keeps keys. */
  reset(): void;
  close(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Starts IAM's part for keys of Bedrock, and the part of Bedrock that takes them, on one loopback port, with state in memory. */
export async function startFakeBedrock(users: readonly string[] = ["bedrock-user"]): Promise<FakeBedrock> {
  const vendor = makeVendor(users);
  const faults = makeFaults();
  const log: Seen[] = [];
  const server = createServer((request, response) => {
    serve(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const fake: FakeBedrock = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    vendor,
    faults,
    log,
    refused: [],
    connections: 0,
    admin: vendor.addCaller(),
    reader: vendor.addCaller(true),
    pageSize: 1,
    reset() {
      faults.clear();
      log.length = 0;
      fake.refused.length = 0;
      Object.assign(vendor.lags, { newKeyMs: 0, revokedMs: 0 });
      fake.pageSize = 1;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  server.on("connection", () => {
    fake.connections += 1;
  });
  return fake;

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const method = request.method ?? "GET";
    const { pathname, search } = new URL(request.url ?? "/", "http://fake");
    const text = (await request.toArray()).join("");
    const isIam = pathname === "/";
    const action = isIam ? (new URLSearchParams(text).get("Action") ?? "") : "";
    log.push({ what: isIam ? action : `${method} ${pathname}`, at: Date.now() });
    const fault = faults.take(method, pathname + action);
    if (fault?.do === "hang") return;
    if (fault?.do === "dropBefore") return void request.socket.destroy();
    if (fault?.do === "delay") await sleep(fault.ms);
    const answer =
      inPlaceOf(fault, isIam) ?? (isIam ? iam(request, text) : bedrock(request, { method, path: pathname, query: search, text }));
    if (fault?.do === "loseReply") return void request.socket.destroy();
    response.writeHead(answer.status, answer.headers).end(answer.body);
  }

  function iam(request: IncomingMessage, text: string): Answer {
    try {
      const id = signedBy(request, text, "iam", (asked) => vendor.caller(asked)?.secret);
      if (request.method !== "POST" || !/^application\/x-www-form-urlencoded\b/.test(request.headers["content-type"] ?? ""))
        throw new AwsRefused("InvalidAction", "The action or operation requested is invalid.");
      return xml(iamAction(vendor, { readOnly: vendor.caller(id)?.readOnly ?? true }, new URLSearchParams(text), fake.pageSize));
    } catch (error) {
      if (!(error instanceof AwsRefused)) throw error;
      fake.refused.push(error.word);
      return xml(error.answer);
    }
  }

  function bedrock(request: IncomingMessage, { text, ...call }: { method: string; path: string; query: string; text: string }): Answer {
    const bearer = /^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1];
    const { status, body } = bedrockCall(vendor, { ...call, bearer, body: parse(text) });
    return json(status, body);
  }
}

const xml = ({ status, body, headers = {} }: { status: number; body: string; headers?: Readonly<Record<string, string>> }): Answer => ({
  status,
  headers: { "content-type": "text/xml", ...headers },
  body,
});

const json = (status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): Answer => ({
  status,
  headers: { "content-type": "application/json", ...headers },
  body: JSON.stringify(body),
});

function inPlaceOf(fault: Fault | undefined, isIam: boolean): Answer | undefined {
  switch (fault?.do) {
    case "reply":
      if (fault.body !== undefined) return json(fault.status, fault.body, fault.headers);
      return isIam
        ? xml(errorAnswer(fault.status, "MadeToFail", "made to fail", fault.headers))
        : json(fault.status, { message: "made to fail" }, fault.headers);
    case "html":
      return { status: fault.status ?? 200, headers: { "content-type": "text/html" }, body: "<!doctype html><title>Welcome</title>" };
    case "rateLimit": {
      const headers = fault.retryAfter === undefined ? {} : { "retry-after": fault.retryAfter };
      return isIam ? xml(errorAnswer(400, "Throttling", "Rate exceeded", headers)) : json(429, { message: "Too many requests" }, headers);
    }
    default:
      return undefined;
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
