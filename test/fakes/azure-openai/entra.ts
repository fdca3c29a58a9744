import { constants, createHash, type KeyObject, randomBytes, verify, X509Certificate } from "node:crypto";
import type { Answer, FakeRequest } from "../http-fake.ts";

/** An application of the tenant, and each way in which it may prove who it is. */
export interface FakeApplication {
  readonly tenant: string;
  readonly client: string;
  readonly secret: string;
  /** What a workload identity shows: a token of somebody whom the application trusts. */
  readonly federatedToken: string;
  /** PEM; set by tests that sign in with one. */
  certificate?: string;
  /** May list keys, and not regenerate them. */
  readonly readOnly: boolean;
}

interface Given {
  readonly audience: string;
  readonly until: number;
  readonly readOnly: boolean;
}

const ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const FORM = /^application\/x-www-form-urlencoded\b/;

/** Entra's token endpoint, its discovery, and the metadata service of a machine. `origin` is where they are. */
export function makeEntra(tenant: string) {
  const applications: FakeApplication[] = [];
  const tokens = new Map<string, Given>();

  function give(audience: string, readOnly: boolean): { readonly token: string; readonly expiresIn: number } {
    const token = `eyJ.canary-${randomBytes(24).toString("base64url")}`;
    const expiresIn = 3599;
    tokens.set(token, { audience, until: Date.now() + expiresIn * 1000, readOnly });
    entra.given += 1;
    return { token, expiresIn };
  }

  const entra = {
    tenant,
    /** How many tokens were given out. */
    given: 0,
    /** Client ids of the identities that are assigned to the machine; the first is the system's. */
    machine: [] as string[],

    addApplication(readOnly = false): FakeApplication {
      const [client, secret, federatedToken] = [
        crypto.randomUUID(),
        `canary-${randomBytes(20).toString("hex")}`,
        `eyJ.canary-${crypto.randomUUID()}`,
      ];
      const application: FakeApplication = { tenant, client, secret, federatedToken, readOnly };
      applications.push(application);
      return application;
    },

    /** A token as somebody else would keep it fresh. */
    accessToken: (audience: string): string => give(audience, false).token,

    /** What a token that is good now may do, and where. */
    find(token: string): Given | undefined {
      const found = tokens.get(token);
      return found !== undefined && Date.now() < found.until ? found : undefined;
    },
    /** Makes every token given so far useless. */
    forget: (): void => tokens.clear(),

    /** Answers what Entra answers; `undefined` for a path that is not its own. */
    answer(request: FakeRequest, origin: string): Answer | undefined {
      const { method, contentType, text } = request;
      if (request.path === "/metadata/identity/oauth2/token") return metadata(request);
      const [, of = "", ...rest] = request.path.split("/");
      const path = rest.join("/");
      if (path === "v2.0/.well-known/openid-configuration" && method === "GET") {
        const base = `${origin.replace(/^http:/, "https:")}/${of}`;
        const endpoints = { token_endpoint: `${base}/oauth2/v2.0/token`, authorization_endpoint: `${base}/oauth2/v2.0/authorize` };
        return { status: 200, body: { ...endpoints, issuer: `${base}/v2.0`, jwks_uri: `${base}/discovery/v2.0/keys` } };
      }
      if (path !== "oauth2/v2.0/token") return undefined;
      if (method !== "POST" || !FORM.test(contentType)) return refused(400, "invalid_request", "AADSTS900144");
      return signIn(of, new URLSearchParams(text));
    },
  };
  return entra;

  function signIn(of: string, form: URLSearchParams): Answer {
    if (of !== tenant) return refused(400, "invalid_request", "AADSTS90002: Tenant not found.");
    if (form.get("grant_type") !== "client_credentials") return refused(400, "unsupported_grant_type", "AADSTS70003");
    const scopes = (form.get("scope") ?? "").split(" ").filter((scope) => scope.endsWith("/.default"));
    const [scope] = scopes;
    if (scope === undefined || scopes.length !== 1) return refused(400, "invalid_scope", "AADSTS70011");
    const application = applications.find(({ client }) => client === form.get("client_id"));
    if (application === undefined) return refused(400, "unauthorized_client", "AADSTS700016: Application not found.");
    if (!proves(application, form)) return refused(401, "invalid_client", "AADSTS7000215: Invalid client secret provided.");
    const { token, expiresIn } = give(scope.slice(0, -"/.default".length), application.readOnly);
    return { status: 200, body: { token_type: "Bearer", expires_in: expiresIn, ext_expires_in: expiresIn, access_token: token } };
  }

  function metadata({ method, query, headers }: FakeRequest): Answer {
    if (method !== "GET" || headers["metadata"] !== "true" || !query.has("api-version") || !query.has("resource"))
      return refused(400, "invalid_request", "Required metadata header not specified");
    const asked = query.get("client_id") ?? entra.machine[0];
    if (asked === undefined || !entra.machine.includes(asked)) return refused(400, "invalid_request", "Identity not found");
    const resource = query.get("resource") ?? "";
    const { token, expiresIn } = give(resource, false);
    const expiresOn = String(Math.floor(Date.now() / 1000) + expiresIn);
    return {
      status: 200,
      body: { access_token: token, expires_in: String(expiresIn), expires_on: expiresOn, resource, token_type: "Bearer" },
    };
  }
}

/** Whether what was sent proves that it is this application. */
function proves(application: FakeApplication, form: URLSearchParams): boolean {
  if (form.has("client_secret")) return form.get("client_secret") === application.secret;
  if (form.get("client_assertion_type") !== ASSERTION) return false;
  const assertion = form.get("client_assertion") ?? "";
  return assertion === application.federatedToken || isSignedBy(application, assertion);
}

/** A JWT that names the application's certificate by its thumbprint and is signed by its key. */
function isSignedBy({ certificate, client }: FakeApplication, assertion: string): boolean {
  const [head = "", payload = "", signature = ""] = assertion.split(".");
  if (certificate === undefined || signature === "") return false;
  const read = (part: string) => JSON.parse(Buffer.from(part, "base64url").toString("utf8")) as Readonly<Record<string, unknown>>;
  const { raw, publicKey } = new X509Certificate(certificate);
  const claims = read(payload);
  const named = read(head)["x5t#S256"] === createHash("sha256").update(raw).digest("base64url");
  return named && claims["iss"] === client && claims["sub"] === client && verifies(publicKey, `${head}.${payload}`, signature);
}

/** PS256, which the vendor's library signs with. */
function verifies(key: KeyObject, text: string, signature: string): boolean {
  const padding = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };
  return verify("sha256", Buffer.from(text), { key, ...padding }, Buffer.from(signature, "base64url"));
}

function refused(status: number, error: string, description: string): Answer {
  return { status, body: { error, error_description: description } };
}
