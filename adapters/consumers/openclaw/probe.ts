import { z } from "zod";
import { AdapterError, hasCode } from "../../../src/contract/errors.ts";
import type { Finding } from "../../../src/contract/finding.ts";
import { type Gateway, readReply, refused } from "../../openclaw/gateway.ts";
import type { Setup } from "./settings.ts";

const reply = z.object({ results: z.array(z.object({ label: z.string(), status: z.string(), profileId: z.string().optional() })) });

/** One credential that OpenClaw knows for a provider, and how a small request with it ended. */
export interface ProbeRow {
  readonly label: string;
  readonly status: string;
  /** The model that it was asked with. */
  readonly model: string | undefined;
}

/**
 * Asks OpenClaw to try every credential that it knows for the provider. No session is left behind and no cooldown
 * begins. The overall status is ok if any row is: only the row of the configured credential counts.
 */
export async function probe(
  setup: Setup,
  gateway: Gateway,
  agentId: string,
): Promise<{ readonly configured: ProbeRow | undefined; readonly others: readonly ProbeRow[] }> {
  const { name, settings, use } = setup;
  try {
    const answer = await gateway.ask("models.probe", { provider: use.provider, agentId }, { timeoutMs: settings.probeTimeout });
    if (!answer.ok) throw refused(setup, "models.probe", answer.refusal);
    const rows = readReply(setup, "models.probe", reply, answer.payload).results.map(({ label, status }): ProbeRow => {
      const [credential = label, target] = label.split(" · ");
      return { label: credential, status, model: target?.slice(target.indexOf("/") + 1) };
    });
    return {
      configured: rows.find(({ label }) => label === "Configured credential"),
      others: rows.filter(({ label }) => label !== "Configured credential"),
    };
  } catch (error) {
    if (!hasCode(error, "timeout")) throw error;
    throw new AdapterError(
      "inconclusive",
      `${name}: agent ${agentId}: the probe of ${use.provider} had no end within ${settings.probeTimeout / 1000} s`,
    );
  }
}

/** Credentials that may serve in the place of the configured one. Not asked where `"auth": "api-key"` rules them out. */
export function shadows({ name, use }: Setup, others: readonly ProbeRow[]): readonly Finding[] {
  const line = `put "auth": "api-key" under models.providers.${use.provider} in openclaw.json`;
  return others.map(({ label }) => {
    const variable = /^Environment credential \(env: (\w+)\)/.exec(label)?.[1];
    if (variable !== undefined) {
      return {
        code: "environmentCredential",
        message: `${name}: ${use.provider} is served by the environment variable ${variable} of the gateway, not by the key in openclaw.json`,
        cure: `${line}, or take ${variable} out of the gateway's environment and its .env and restart it`,
      };
    }
    const profile = /^Profile (\S+)/.exec(label)?.[1];
    return {
      code: profile === undefined ? "otherCredential" : "authProfile",
      message: `${name}: ${profile === undefined ? "another credential" : `the auth profile ${profile}`} can serve ${use.provider} in the place of the key in openclaw.json`,
      cure: profile === undefined ? line : `${line}, or remove the profile with: openclaw models auth`,
    };
  });
}
