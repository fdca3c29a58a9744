import type { TokenCredential, TokenCredentialOptions } from "@azure/identity";
import { AdapterError } from "../../src/contract/errors.ts";
import { Secret } from "../../src/contract/secret.ts";
import type { World } from "../../src/contract/world.ts";
import { entraTransport } from "./entra-transport.ts";
import type { Settings } from "./settings.ts";

const ACTION = "azure-openai: sign in";
/** A token is given up so long before its end, so that no request leaves with one that ends on the way. */
const MARGIN_MS = 120_000;

interface Token {
  readonly value: Secret;
  /** What proved who we are; `undefined` for the identity of the machine. */
  readonly proof: Secret | undefined;
  /** Unix milliseconds. */
  readonly until: number;
}

/**
 * Gets access tokens for Azure Resource Manager from Entra. One token serves all calls until shortly before its end; a changed
 * secret is seen at once. Throws `misconfigured` where the library cannot use what signIn names.
 */
export function makeSignIn(settings: Settings, world: World) {
  let token: Token | undefined;
  return {
    async token(signal: AbortSignal): Promise<Secret> {
      const { signIn } = settings;
      if ("accessToken" in signIn) return world.secret(signIn.accessToken);
      const proof = await readProof(signIn, world);
      const same = proof === undefined ? token?.proof === undefined : token?.proof?.equals(proof) === true;
      if (token !== undefined && same && world.clock.now() < token.until) return token.value;
      token = { proof, ...(await requestToken(settings, signIn, proof, world, signal)) };
      return token.value;
    },
    /** Lets the next call sign in anew: this token was refused. */
    forget(): void {
      token = undefined;
    },
  };
}

/** The ways to prove to Entra who we are. */
type Proving = Exclude<Settings["signIn"], { readonly accessToken: unknown }>;

async function readProof(signIn: Proving, world: World): Promise<Secret | undefined> {
  if ("secret" in signIn) return world.secret(signIn.secret);
  if ("certificate" in signIn) return world.secret(signIn.certificate);
  if ("federatedToken" in signIn) return world.secret(signIn.federatedToken);
  return undefined;
}

async function requestToken(
  { baseUrl, loginUrl }: Settings,
  signIn: Proving,
  proof: Secret | undefined,
  world: World,
  signal: AbortSignal,
): Promise<Omit<Token, "proof">> {
  signal.throwIfAborted();
  const transport = entraTransport(ACTION, loginUrl, world, signal);
  const options: TokenCredentialOptions = {
    authorityHost: transport.authorityHost,
    httpClient: transport.client,
    retryOptions: { maxRetries: 0 },
  };
  try {
    const credential = await credentialFor(signIn, proof?.reveal() ?? "", options);
    const given = await credential.getToken(`${baseUrl}/.default`);
    if (given !== null) return { value: new Secret(given.token), until: given.expiresOnTimestamp - MARGIN_MS };
  } catch {
    // The library's own error may hold what was answered; what went wrong on the way is known better here.
    if (transport.failure !== undefined) throw transport.failure.reason;
  }
  const cure = "certificate: one PEM file with the certificate and its private key; managedIdentity: only on a machine of Azure";
  throw new AdapterError("misconfigured", `${ACTION}: what signIn names cannot be used`, { cure });
}

async function credentialFor(signIn: Proving, proof: string, options: TokenCredentialOptions): Promise<TokenCredential> {
  const azure = await import("@azure/identity");
  if ("managedIdentity" in signIn) {
    const { managedIdentity: id } = signIn;
    return new azure.ManagedIdentityCredential({ ...options, ...(id !== "system" && { clientId: id }) });
  }
  const { tenant, client } = signIn;
  // Discovery would ask Microsoft about an authority that the settings name themselves.
  const known = { ...options, disableInstanceDiscovery: true };
  if ("certificate" in signIn) return new azure.ClientCertificateCredential(tenant, client, { certificate: proof }, known);
  if ("federatedToken" in signIn) return new azure.ClientAssertionCredential(tenant, client, async () => proof, known);
  return new azure.ClientSecretCredential(tenant, client, proof, known);
}
