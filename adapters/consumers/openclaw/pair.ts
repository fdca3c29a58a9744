import { AdapterError, hasCode } from "../../../src/contract/errors.ts";
import type { Access } from "../../openclaw/access.ts";
import { makeDevice, readDevice } from "../../openclaw/device.ts";
import { openChannel } from "../../openclaw/frames.ts";
import { greet, openGateway, PAIRING, refused } from "../../openclaw/gateway.ts";

/**
 * Makes rotated a device that the gateway knows. On the gateway's own host that takes one call; from elsewhere somebody
 * approves the request there, and the next call finishes. A device that is known already stays what it is.
 */
export async function pair(access: Access, signal: AbortSignal): Promise<{ paired: boolean; message: string }> {
  const { name, settings, world } = access;
  if (await isPaired(access, signal)) return { paired: true, message: `${name}: rotated is paired with this gateway already` };
  if (settings.token === undefined) {
    throw new AdapterError("misconfigured", `${name}: pair: the gateway's token is needed this once`, {
      cure: `set consumers.${name}.token to a reference to the value of gateway.auth.token`,
    });
  }
  const token = await world.secret(settings.token);
  const device = (await readDevice(access)) ?? (await makeDevice(access));
  const channel = await openChannel(access, signal);
  try {
    const greeted = await greet(access, channel, { client: PAIRING, device, bearer: { token } }, signal);
    if (greeted.ok && greeted.hello.auth.deviceToken !== undefined)
      return { paired: true, message: `${name}: rotated is paired with the gateway` };
    if (greeted.ok) {
      throw new AdapterError("misconfigured", `${name}: pair: the gateway gave rotated no device token`, {
        cure: "look at `openclaw devices list` on the gateway's host: the device must be approved for the role operator",
      });
    }
    const { details } = greeted.refusal;
    if (details.code === "PAIRING_REQUIRED" && /^[\w-]{1,64}$/.test(details.requestId ?? "")) {
      const approve = `openclaw devices approve ${details.requestId}`;
      return { paired: false, message: `${name}: run this on the gateway's host, then pair again: ${approve}` };
    }
    if (details.code === "AUTH_TOKEN_MISMATCH") {
      throw new AdapterError("unauthorized", `${name}: pair: the gateway does not accept the token`, {
        cure: `consumers.${name}.token must refer to the present value of gateway.auth.token`,
      });
    }
    throw refused(access, "pair", greeted.refusal);
  } finally {
    channel.close();
  }
}

async function isPaired(access: Access, signal: AbortSignal): Promise<boolean> {
  try {
    using _ = await openGateway(access, signal);
    return true;
  } catch (error) {
    if (hasCode(error, "misconfigured", "unauthorized", "forbidden", "invalid")) return false;
    throw error;
  }
}
