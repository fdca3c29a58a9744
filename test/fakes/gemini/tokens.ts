import { createPublicKey, generateKeyPairSync, randomBytes, verify } from "node:crypto";
import type { Answer } from "../http-fake.ts";

const GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const AUDIENCE = "https://oauth2.googleapis.com/token";
const SCOPE = "https://www.googleapis.com/auth/cloud-platform";

/** Google's token endpoint for the service accounts of one project. */
export function makeTokens(project: string) {
  const accounts = new Map<string, { readonly publicKey: string; readonly readOnly: boolean }>();
  const tokens = new Map<string, { readonly until: number; readonly readOnly: boolean }>();

  return {
    /** How many tokens were given out. */
    given: 0,

    /** Makes a service account; the JSON file of its key. */
    addAccount(name: string, readOnly = false): string {
      const { privateKey, publicKey } = generateKeyPairSync("rsa", {
        modulusLength: 2048,
        privateKeyEncoding: { type: "pkcs8", format: "pem" },
        publicKeyEncoding: { type: "spki", format: "pem" },
      });
      const email = `${name}@${project}.iam.gserviceaccount.com`;
      accounts.set(email, { publicKey, readOnly });
      const where = { auth_uri: "https://accounts.google.com/o/oauth2/auth", token_uri: AUDIENCE, universe_domain: "googleapis.com" };
      const key = { private_key_id: `canary-${name}`, private_key: privateKey, client_email: email, client_id: "1" };
      return JSON.stringify({ type: "service_account", project_id: project, ...key, ...where });
    },

    /** The account behind an access token that is good now. */
    find(token: string): { readonly readOnly: boolean } | undefined {
      const found = tokens.get(token);
      return found !== undefined && Date.now() < found.until ? found : undefined;
    },

    /** Makes every token given so far useless. */
    forget: (): void => tokens.clear(),

    /** Answers a request for a token. */
    answer(method: string, contentType: string, text: string): Answer {
      const form = new URLSearchParams(text);
      if (method !== "POST" || !contentType.startsWith("application/x-www-form-urlencoded")) return refusal("invalid_request");
      if (form.get("grant_type") !== GRANT || form.size !== 2) return refusal("unsupported_grant_type");
      const account = signer(form.get("assertion") ?? "");
      if (account === undefined) return refusal("invalid_grant");
      const token = `ya29.canary-${randomBytes(24).toString("base64url")}`;
      tokens.set(token, { until: Date.now() + 3_599_000, readOnly: account.readOnly });
      this.given += 1;
      return { status: 200, body: { access_token: token, expires_in: 3599, token_type: "Bearer" } };
    },
  };

  /** The account that signed this assertion, if all in it is as Google wants it. */
  function signer(assertion: string): { readonly readOnly: boolean } | undefined {
    const [head = "", payload = "", signature = ""] = assertion.split(".");
    try {
      const claims = JSON.parse(Buffer.from(payload, "base64url").toString("utf8"));
      const account = accounts.get(claims.iss);
      const now = Date.now() / 1000;
      const fits =
        claims.aud === AUDIENCE && claims.scope === SCOPE && claims.iat <= now + 60 && claims.exp > now && claims.exp <= claims.iat + 3600;
      if (account === undefined || !fits) return undefined;
      const signed = Buffer.from(`${head}.${payload}`);
      return verify("sha256", signed, createPublicKey(account.publicKey), Buffer.from(signature, "base64url")) ? account : undefined;
    } catch {
      return undefined;
    }
  }
}

function refusal(error: string): Answer {
  return { status: 400, body: { error, error_description: "Invalid JWT." } };
}
