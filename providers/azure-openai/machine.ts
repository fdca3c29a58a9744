import { z } from "zod";
import { AdapterError } from "../../src/contract/errors.ts";
import { parseJson } from "../../src/contract/json.ts";
import { Secret } from "../../src/contract/secret.ts";
import type { World } from "../../src/contract/world.ts";
import { signInRefusal } from "./refusals.ts";

const ADDRESS = "http://169.254.169.254/metadata/identity/oauth2/token";

const reply = z.looseObject({
  access_token: z
    .string()
    .min(1)
    .transform((value) => new Secret(value)),
  /** Seconds, as text. */
  expires_in: z.coerce.number().positive(),
});

/**
 * An access token of the identity of this virtual machine, from its metadata service. Not by Microsoft's library: that one keeps
 * the first transport that it was ever given for all later requests of the process, and with it the first call's abort.
 */
export async function machineToken(
  action: string,
  { resource, client }: { resource: string; client: string | undefined },
  world: World,
  signal: AbortSignal,
): Promise<{ readonly value: Secret; readonly expiresAt: number }> {
  const query = new URLSearchParams({ "api-version": "2018-02-01", resource, ...(client !== undefined && { client_id: client }) });
  const startedAt = world.clock.now();
  const answer = await world.exchange({ action, url: `${ADDRESS}?${query}`, method: "GET", headers: { metadata: "true" }, signal });
  if (answer.status !== 200) {
    const { code, detail } = signInRefusal(answer.status);
    throw new AdapterError(code, `${action}: ${detail}`, { cure: "does this virtual machine have the identity that signIn names?" });
  }
  const parsed = reply.safeParse(parseJson(Buffer.from(answer.body).toString("utf8")));
  if (!parsed.success) throw new AdapterError("malformed", `${action}: the answer has another shape than documented`);
  return { value: parsed.data.access_token, expiresAt: startedAt + parsed.data.expires_in * 1000 };
}
