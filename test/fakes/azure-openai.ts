import { armApi } from "./azure-openai/arm.ts";
import { type FakeApplication, makeEntra } from "./azure-openai/entra.ts";
import { inferenceApi } from "./azure-openai/inference.ts";
import { Refusal } from "./azure-openai/replies.ts";
import { makeVendor, type Vendor } from "./azure-openai/vendor.ts";
import { type Answer, type EventStream, type FakeRequest, type HttpFake, type Phase, startHttpFake } from "./http-fake.ts";

/** One request as the fake saw it; never a secret. Those to Entra are not among them. */
export interface Seen {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly at: number;
}

export interface FakeAzureOpenAi extends HttpFake<Seen> {
  /** Address of all of it: Entra, Resource Manager and the account. */
  readonly url: string;
  readonly vendor: Vendor;
  readonly entra: ReturnType<typeof makeEntra>;
  /** Applications that may do all, and that may only look. */
  readonly admin: FakeApplication;
  readonly reader: FakeApplication;
  /** The settings that are right for it; the secret of `admin` is `{ credential: "admin" }`. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Called at each phase of each request but those to Entra, and awaited. */
  onRequest: ((seen: Seen, phase: Phase) => void | Promise<void>) | undefined;
}

/** Starts one account of Azure OpenAI, with Entra and Resource Manager before it, on one loopback port. */
export async function startFakeAzureOpenAi(): Promise<FakeAzureOpenAi> {
  const vendor = makeVendor();
  const entra = makeEntra("22222222-2222-4222-8222-222222222222");
  const server = await startHttpFake<Seen>({
    answer: work,
    refuse: (status, message) => new Refusal(status, "MadeToFail", message).answer,
    limit: () => new Refusal(429, "TooManyRequests", "The request is being throttled.").answer,
    seen: ({ method, path }) => ({ method, path, at: Date.now() }),
    aside: (request) => entra.answer(request, fake.url),
    onRequest: (seen, phase) => fake.onRequest?.(seen, phase),
    reset: () => vendor.reset(),
    contentType: "application/json; charset=utf-8",
  });
  const { url } = server;
  const admin = entra.addApplication();
  const fake: FakeAzureOpenAi = Object.assign(server, {
    vendor,
    entra,
    admin,
    reader: entra.addApplication(true),
    settings: {
      subscription: vendor.subscription,
      resourceGroup: vendor.resourceGroup,
      account: vendor.account,
      signIn: { tenant: admin.tenant, client: admin.client, secret: { credential: "admin" } },
      exclusive: true,
      inferenceUrl: url,
      baseUrl: url,
      loginUrl: url,
    },
    onRequest: undefined,
  });
  return fake;

  function work(request: FakeRequest): Answer | EventStream {
    const { method, path, query, headers, bearer } = request;
    const body = parse(request);
    if (path.startsWith("/openai/"))
      return inferenceApi(vendor, { method, path: path.slice("/openai/".length), query, body, secret: headers["api-key"] ?? bearer });
    const given = entra.find(bearer ?? "");
    if (given === undefined) throw new Refusal(401, "InvalidAuthenticationToken", "The access token is invalid.");
    if (given.audience !== fake.url)
      throw new Refusal(401, "InvalidAuthenticationTokenAudience", "The access token has been obtained for wrong audience or resource.");
    return armApi(vendor, { method, path: decodeURI(path), query, body, readOnly: given.readOnly });
  }
}

function parse({ contentType, text }: FakeRequest): unknown {
  if (text === "") return undefined;
  if (!/^application\/json\b/.test(contentType))
    throw new Refusal(415, "UnsupportedMediaType", "The content media type is not supported. Only 'application/json' is.");
  try {
    return JSON.parse(text);
  } catch {
    throw new Refusal(400, "InvalidRequestContent", "The request content was invalid and could not be deserialized.");
  }
}
