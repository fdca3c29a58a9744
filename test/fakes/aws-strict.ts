import { createServer, type IncomingHttpHeaders } from "node:http";

const MAX_BYTES = 65_536;
const MAX_LABELS = 20;

type Json = Readonly<Record<string, unknown>>;
interface Answer {
  readonly status: number;
  readonly body: Json;
}

/** AWS Secrets Manager as AWS documents it, in front of a moto that is more forgiving. */
export interface AwsStrict {
  readonly url: string;
  /** The operations that came in, in order. */
  readonly actions: string[];
  /** The next `calls` calls are throttled. */
  throttle(calls: number): void;
  /** All calls are refused with this error of AWS's; with `undefined` no more. */
  refuse(type: string | undefined): void;
  /** Awaited before an operation takes its turn. */
  onAction: ((action: string) => Promise<void>) | undefined;
  close(): Promise<void>;
}

export async function startAwsStrict(moto: string): Promise<AwsStrict> {
  const actions: string[] = [];
  let throttled = 0;
  let refused: string | undefined;
  let last: Promise<unknown> = Promise.resolve();

  async function forward(action: string, headers: IncomingHttpHeaders, input: Json): Promise<Answer> {
    const reply = await fetch(moto, {
      method: "POST",
      headers: {
        "content-type": "application/x-amz-json-1.1",
        "x-amz-target": `secretsmanager.${action}`,
        authorization: String(headers.authorization),
        // moto may end a connection that was left open just when it is used again.
        connection: "close",
      },
      body: JSON.stringify(input),
    });
    // AWS says with 400 what moto says with 404.
    return { status: reply.status === 404 ? 400 : reply.status, body: (await reply.json()) as Json };
  }

  async function answer(action: string, headers: IncomingHttpHeaders, input: Json): Promise<Answer> {
    actions.push(action);
    if (!String(headers.authorization).startsWith("AWS4-HMAC-SHA256 ")) return refusal("MissingAuthenticationTokenException");
    if (refused !== undefined) return refusal(refused);
    if (throttled > 0) {
      throttled -= 1;
      return refusal("ThrottlingException");
    }
    if (!["PutSecretValue", "GetSecretValue", "UpdateSecretVersionStage"].includes(action)) return forward(action, headers, input);
    const facts = await forward("DescribeSecret", headers, { SecretId: input["SecretId"] });
    if (facts.status !== 200) return facts;
    if (typeof facts.body["DeletedDate"] === "number") return refusal("InvalidRequestException");
    if (action === "GetSecretValue") {
      if (input["VersionStage"] === undefined && input["VersionId"] === undefined) input = { ...input, VersionStage: "AWSCURRENT" };
      return forward(action, headers, input);
    }
    const stages = (facts.body["VersionIdsToStages"] ?? {}) as Readonly<Record<string, readonly string[]>>;
    const added =
      action === "PutSecretValue" ? ((input["VersionStages"] as string[] | undefined) ?? ["AWSCURRENT"]) : [input["VersionStage"]];
    if (new Set([...Object.values(stages).flat(), ...added]).size > MAX_LABELS) return refusal("LimitExceededException");
    if (action === "PutSecretValue") {
      const text = String(input["SecretString"]);
      const token = String(input["ClientRequestToken"]);
      if (Buffer.byteLength(text) > MAX_BYTES) return refusal("InvalidParameterException");
      if (token.length < 32 || token.length > 64) return refusal("InvalidParameterException");
      const there = await forward("GetSecretValue", headers, { SecretId: input["SecretId"], VersionId: token });
      if (there.status === 200) {
        if (there.body["SecretString"] !== text) return refusal("ResourceExistsException");
        const { ARN, Name } = there.body;
        return { status: 200, body: { ARN, Name, VersionId: token, VersionStages: stages[token] ?? [] } };
      }
      // In moto a label that moved once is then on two versions; at AWS a label is on one. So it is written under another and moved.
      const SecretId = input["SecretId"];
      const holder = (label: unknown) => Object.keys(stages).find((id) => stages[id]?.includes(String(label)));
      if (added.some((label) => holder(label) !== undefined)) {
        const written = await forward("PutSecretValue", headers, { ...input, VersionStages: ["strict/moving"] });
        const moves = added.map((label) => [label, holder(label), token]);
        for (const [VersionStage, from, MoveToVersionId] of [...moves, ["strict/moving", token, undefined]]) {
          const step = { SecretId, VersionStage, MoveToVersionId, ...(from !== undefined && { RemoveFromVersionId: from }) };
          const moved = await forward("UpdateSecretVersionStage", headers, step);
          if (moved.status !== 200) return moved;
        }
        return { status: 200, body: { ...written.body, VersionStages: added } };
      }
      input = { ...input, VersionStages: added };
    }
    return forward(action, headers, input);
  }

  const server = createServer(async (request, response) => {
    const parts: Uint8Array[] = [];
    for await (const part of request) parts.push(part as Uint8Array);
    const action = String(request.headers["x-amz-target"]).replace("secretsmanager.", "");
    await made.onAction?.(action);
    // One after the other: a look and what follows from it belong together.
    const turn = last.then(() => answer(action, request.headers, JSON.parse(Buffer.concat(parts).toString()) as Json));
    last = turn.catch(() => undefined);
    const { status, body } = await turn.catch(() => refusal("InternalServiceError", 500));
    response.writeHead(status, { "content-type": "application/x-amz-json-1.1" }).end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const made: AwsStrict = {
    url: `http://127.0.0.1:${(server.address() as { port: number }).port}`,
    actions,
    throttle: (calls) => {
      throttled = calls;
    },
    refuse(type) {
      refused = type;
    },
    onAction: undefined,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
  return made;
}

const refusal = (type: string, status = 400): Answer => ({ status, body: { __type: type, message: "refused as AWS does" } });
