import type { Secret } from "../../src/contract/secret.ts";
import type { Access } from "./access.ts";
import { openChannel } from "./frames.ts";
import { greet, refused, WORKING } from "./gateway.ts";

/**
 * Whether the gateway lets somebody in who has nothing but this as its own token: tried on a connection of its own, on which
 * nothing may be done. A wrong one costs: from loopback each further answer comes later (0.25 s up to 5 s), until a right
 * one is tried; from elsewhere ten within a minute shut the address out for five.
 */
export async function knock(access: Access, token: Secret, signal: AbortSignal): Promise<"accepted" | "refused"> {
  const channel = await openChannel(access, signal);
  try {
    const greeted = await greet(access, channel, { client: WORKING, bearer: { token }, scopes: [] }, signal);
    if (greeted.ok) return "accepted";
    if (greeted.refusal.details.code === "AUTH_TOKEN_MISMATCH") return "refused";
    throw refused(access, "connect with the gateway's own token", greeted.refusal);
  } finally {
    channel.close();
  }
}
