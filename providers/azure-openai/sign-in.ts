import type { TokenCredential, TokenCredentialOptions } from "@azure/identity";
import { AdapterError } from "../../src/contract/errors.ts";
import { Secret } from "../../src/contract/secret.ts";
import type { SignIn } from "../../src/contract/signed-in.ts";
import type { World } from "../../src/contract/world.ts";
import { entraTransport } from "./entra-transport.ts";
import { machineToken } from "./machine.ts";
import type { Settings } from "./settings.ts";

const ACTION = "azure-openai: sign in";
/** A token is given up so long before its end, so that no request leaves with one that ends on the way. */
const MARGIN_MS = 120_000;

interface Given {
  readonly value: Secret;
  /** Unix milliseconds. */
  readonly expiresAt: number;
}

interface Token extends Given {
  /** What proved who we are; `undefined` for the identity of the machine. */
  readonly proof: Secret | undefined;
}

/**
 * Gets access tokens for Azure Resource Manager. One token serves all calls until shortly before its end; a changed secret is
 * seen at once. Throws `misconfigured` where Microsoft's library cannot use what signIn names.
 */
export function makeSignIn({ signIn, baseUrl, loginUrl }: Settings, world: World): SignIn {
  let token: Token | undefined;

  const request = (proof: Secret | undefined, signal: AbortSignal): Promise<Given> => {
    if ("managedIdentity" in signIn) {
      const client = signIn.managedIdentity === "system" ? undefined : signIn.managedIdentity;
      return machineToken(ACTION, { resource: baseUrl, client }, world, signal);
    }
    if (proof === undefined || "accessToken" in signIn) throw new Error("nothing to prove to Entra");
    return entraToken(signIn, proof, { scope: `${baseUrl}/.default`, loginUrl }, world, signal);
  };

  return {
    async token(signal) {
      if ("accessToken" in signIn) return { value: await world.secret(signIn.accessToken), kept: false };
      const proof = "managedIdentity" in signIn ? undefined : await world.secret(proofOf(signIn));
      const same = proof === undefined ? token?.proof === undefined : token?.proof?.equals(proof) === true;
      if (token !== undefined && same && world.clock.now() < token.expiresAt - MARGIN_MS) return { value: token.value, kept: true };
      token = { proof, ...(await request(proof, signal)) };
      return { value: token.value, kept: false };
    },
    forget() {
      token = undefined;
    },
  };
}

/** The ways in which an application proves to Entra who it is. */
type Application = Extract<Settings["signIn"], { readonly tenant: string }>;

function proofOf(application: Application) {
  if ("secret" in application) return application.secret;
  return "certificate" in application ? application.certificate : application.federatedToken;
}

async function entraToken(
  application: Application,
  proof: Secret,
  { scope, loginUrl }: { scope: string; loginUrl: string },
  world: World,
  signal: AbortSignal,
): Promise<Given> {
  signal.throwIfAborted();
  const transport = entraTransport(ACTION, loginUrl, world, signal);
  const { authorityHost, client: httpClient } = transport;
  try {
    const credential = await credentialFor(application, proof, { authorityHost, httpClient, retryOptions: { maxRetries: 0 } });
    const given = await credential.getToken(scope);
    if (given !== null) return { value: new Secret(given.token), expiresAt: given.expiresOnTimestamp };
  } catch {
    // The library's own error may hold what was answered; what went wrong on the way is known better here.
    if (transport.failure !== undefined) throw transport.failure.reason;
  }
  const cure = "certificate is one PEM file with the certificate and its private key";
  throw new AdapterError("misconfigured", `${ACTION}: what signIn names cannot be used`, { cure });
}

async function credentialFor(application: Application, proof: Secret, options: TokenCredentialOptions): Promise<TokenCredential> {
  const azure = await import("@azure/identity");
  const { tenant, client } = application;
  // Discovery would ask Microsoft about an authority that the settings name themselves.
  const known = { ...options, disableInstanceDiscovery: true };
  if ("certificate" in application) return new azure.ClientCertificateCredential(tenant, client, { certificate: proof.reveal() }, known);
  if ("federatedToken" in application) return new azure.ClientAssertionCredential(tenant, client, async () => proof.reveal(), known);
  return new azure.ClientSecretCredential(tenant, client, proof.reveal(), known);
}
