import { z } from "zod";
import { AdapterError } from "../../src/contract/errors.ts";
import { parseJson } from "../../src/contract/json.ts";
import { Secret } from "../../src/contract/secret.ts";
import type { SignIn } from "../../src/contract/signed-in.ts";
import type { World } from "../../src/contract/world.ts";
import { signInRefusal } from "./refusals.ts";
import type { Settings } from "./settings.ts";

const ACTION = "gemini: sign in";
const SCOPE = "https://www.googleapis.com/auth/cloud-platform";
/** A token is given up so long before its end, so that no request leaves with one that ends on the way. */
const MARGIN_MS = 120_000;

const accountKey = z.looseObject({ type: z.literal("service_account"), client_email: z.string().min(1), private_key: z.string().min(1) });
const tokenReply = z.looseObject({
  access_token: z
    .string()
    .min(1)
    .transform((value) => new Secret(value)),
  expires_in: z.number().positive(),
});

interface Token {
  readonly value: Secret;
  readonly adminKey: Secret;
  /** Unix milliseconds. */
  readonly until: number;
}

/**
 * Gets access tokens for the admin account. One token serves all calls until shortly before its end; a changed admin
 * key is seen at once. Throws `misconfigured` when the admin key is not the JSON of a service account.
 */
export function makeSignIn({ adminKey: reference, tokenUrl }: Settings, world: World): SignIn {
  let token: Token | undefined;
  return {
    async token(signal) {
      const adminKey = await world.secret(reference);
      if (token?.adminKey.equals(adminKey) && world.clock.now() < token.until) return { value: token.value, kept: true };
      token = { adminKey, ...(await requestToken(adminKey, tokenUrl, world, signal)) };
      return { value: token.value, kept: false };
    },
    forget() {
      token = undefined;
    },
  };
}

async function requestToken(adminKey: Secret, tokenUrl: string, world: World, signal: AbortSignal): Promise<Omit<Token, "adminKey">> {
  const { client_email: email, private_key: key } = parseAccountKey(adminKey);
  const { gaxios, JWT } = await import("google-auth-library");
  let reply: z.output<typeof tokenReply> | undefined;
  let failure: { readonly reason: unknown } | undefined;

  /** Sends what the library wants sent through our own network, once: its own transport would retry and know no proxy of ours. */
  class Transporter extends gaxios.Gaxios {
    override async request(options: { readonly data?: unknown } = {}): Promise<never> {
      try {
        reply = await postForToken(String(options.data), tokenUrl, world, signal);
      } catch (reason) {
        failure = { reason };
      }
      // The answer is read above, where it becomes a Secret; the library need not know it.
      throw new Error("answered");
    }
  }

  const startedAt = world.clock.now();
  try {
    await new JWT({ email, key, scopes: [SCOPE], transporter: new Transporter() }).authorize();
  } catch {
    if (failure !== undefined) throw failure.reason;
  }
  if (reply === undefined) throw unusable("its private key cannot sign");
  return { value: reply.access_token, until: startedAt + reply.expires_in * 1000 - MARGIN_MS };
}

async function postForToken(body: string, url: string, world: World, signal: AbortSignal): Promise<z.output<typeof tokenReply>> {
  const headers = { "content-type": "application/x-www-form-urlencoded", accept: "application/json", "user-agent": "rotated" };
  const answer = await world.exchange({ action: ACTION, url, method: "POST", headers, body, signal });
  if (answer.status !== 200) {
    const { code, detail, cure } = signInRefusal(answer.status);
    throw new AdapterError(code, `${ACTION}: ${detail}`, cure === undefined ? {} : { cure });
  }
  const parsed = tokenReply.safeParse(parseJson(Buffer.from(answer.body).toString("utf8")));
  if (!parsed.success) throw new AdapterError("malformed", `${ACTION}: the answer has another shape than documented`);
  return parsed.data;
}

function parseAccountKey(adminKey: Secret): z.output<typeof accountKey> {
  const parsed = accountKey.safeParse(parseJson(adminKey.reveal()));
  if (!parsed.success) throw unusable("it is not the JSON key of a service account");
  return parsed.data;
}

function unusable(why: string): AdapterError {
  const cure = "put the JSON file that Google made for a service account key where adminKey points, unchanged";
  return new AdapterError("misconfigured", `gemini: read adminKey: ${why}`, { cure });
}
