import { z } from "zod";
import type { Proof } from "../../../src/contract/consumer.ts";
import { AdapterError } from "../../../src/contract/errors.ts";
import type { Secret } from "../../../src/contract/secret.ts";
import { type Gateway, openGateway, readReply } from "../../openclaw/gateway.ts";
import { type ProbeRow, probe, shadows } from "./probe.ts";
import { LOADABLE, look } from "./reload.ts";
import type { Setup } from "./settings.ts";
import { agentsInUse, providerEntry } from "./views.ts";

/** A proof that is none: what is returned early. */
type Disproof = Exclude<Proof, { result: "proven" }>;

/**
 * A live request alone proves nothing: it also succeeds with an environment variable, an auth profile or the old key. So
 * every agent is asked in two ways, and only after the gateway showed that it holds the value.
 */
export async function prove(setup: Setup, expected: Secret, signal: AbortSignal): Promise<Proof> {
  using gateway = await openGateway(setup, signal);
  const before = await judgeHolding(setup, gateway, expected, signal);
  if (before !== undefined) return before;

  const pinned = (await providerEntry(gateway, setup))?.auth === "api-key";
  const agents = await agentsInUse(gateway, setup);
  for (const agent of agents) {
    const { configured, others } = await probe(setup, gateway, agent.id);
    const shadow = pinned ? undefined : shadows(setup, others)[0];
    if (shadow !== undefined) return { result: "contradicted", cause: shadow.message, cure: shadow.cure };
    const disproof =
      judgeProbe(setup, agent.id, configured) ?? (await modelRun(setup, gateway, agent.id, agent.model ?? configured?.model));
    if (disproof !== undefined) return disproof;
  }
  // A reload or an edit of openclaw.json in the meantime would have made this a proof of something else.
  const after = await judgeHolding(setup, gateway, expected, signal);
  if (after !== undefined) return after;
  return { result: "proven", grade: "value", detail: { agents: agents.map(({ id }) => id) } };
}

/** A value that was kept because its source cannot be read is no contradiction: a sealed vault opens again. */
async function judgeHolding(setup: Setup, gateway: Gateway, expected: Secret, signal: AbortSignal): Promise<Disproof | undefined> {
  const { degraded, lagging } = await look(setup, gateway, expected, signal);
  if (lagging !== undefined) return { result: "contradicted", ...lagging };
  if (degraded !== undefined) throw new AdapterError("inconclusive", degraded, { cure: LOADABLE });
  return undefined;
}

function judgeProbe({ name, use }: Setup, agent: string, row: ProbeRow | undefined): Disproof | undefined {
  if (row?.status === "ok") return undefined;
  if (row?.status === "auth") return refusedBy(`${name}: agent ${agent}: the vendor refused the key of ${use.provider}`);
  if (row === undefined) {
    return {
      result: "contradicted",
      cause: `${name}: agent ${agent}: ${use.provider} does not use the key in openclaw.json`,
      cure: `models.providers.${use.provider}.apiKey must be the reference again; the web UI may have put a profile's name there`,
    };
  }
  throw new AdapterError("inconclusive", `${name}: agent ${agent}: the probe of ${use.provider} ended with ${row.status}`);
}

function refusedBy(cause: string): Disproof {
  return {
    result: "refused",
    cause,
    cure: "the key may be dead, of another project, or not known everywhere yet: look at the vendor's console",
  };
}

const route = z.object({ provider: z.string(), model: z.string() });

const run = z.object({
  status: z.string(),
  result: z.object({
    meta: z.object({
      agentMeta: z.object({
        provider: z.string(),
        credentialSource: z.object({ kind: z.string() }).optional(),
        terminalReceipt: z.object({ rerouted: z.boolean(), requested: route.optional(), effective: route.optional() }).optional(),
      }),
      executionTrace: z.object({ fallbackUsed: z.boolean().optional() }).optional(),
    }),
  }),
});
const accepted = z.object({ status: z.literal("accepted") });

/**
 * Whether the run went to another provider or model than the one asked for. OpenClaw says `rerouted` as well where only the answer
 * names the model otherwise, as every router behind one address does: that was the same road with the same key.
 */
function wentElsewhere(receipt: z.output<typeof run>["result"]["meta"]["agentMeta"]["terminalReceipt"]): boolean {
  if (receipt?.rerouted !== true) return false;
  const { requested, effective } = receipt;
  if (requested === undefined || effective === undefined) return true;
  return requested.provider !== effective.provider || requested.model !== effective.model;
}

/** One small request on the road that the agent's own requests take. It answers twice: accepted, then done. */
async function modelRun(setup: Setup, gateway: Gateway, agentId: string, model: string | undefined): Promise<Disproof | undefined> {
  const { name, use, world, settings } = setup;
  const who = `${name}: agent ${agentId}`;
  if (model === undefined) {
    throw new AdapterError("misconfigured", `${who}: no model of ${use.provider} is known to prove the key with`, {
      cure: "set `model` beside `provider`",
    });
  }
  const id = `model-run-${Buffer.from(world.random(12)).toString("hex")}`;
  const params = {
    agentId,
    sessionId: id,
    sessionKey: `agent:${agentId}:explicit:${id}`,
    message: "Reply with OK.",
    provider: use.provider,
    model,
    modelRun: true,
    promptMode: "none",
    cleanupBundleMcpOnRunEnd: true,
    idempotencyKey: id,
  };
  const last = (payload: unknown) => !accepted.safeParse(payload).success;
  const answer = await gateway.ask("agent", params, { timeoutMs: settings.probeTimeout, last });
  if (!answer.ok) return judgeFailure(setup, who, model, answer.refusal.message);
  const { result, status } = readReply(setup, "agent", run, answer.payload);
  if (status !== "ok") throw new AdapterError("inconclusive", `${who}: the model run did not end well`);
  const { agentMeta, executionTrace } = result.meta;
  const served = agentMeta.credentialSource?.kind ?? "unknown";
  if (
    served !== "direct" ||
    agentMeta.provider !== use.provider ||
    wentElsewhere(agentMeta.terminalReceipt) ||
    executionTrace?.fallbackUsed === true
  ) {
    const seen = [
      `credential ${served}`,
      `provider ${agentMeta.provider}`,
      ...(agentMeta.terminalReceipt?.rerouted === true ? ["rerouted"] : []),
      ...(executionTrace?.fallbackUsed === true ? ["a fallback"] : []),
    ];
    return {
      result: "contradicted",
      cause: `${who}: the model run was not served by the key of ${use.provider}${served === "profile" ? " but by an auth profile" : ""} (${seen.join(", ")})`,
      cure: `put "auth": "api-key" under models.providers.${use.provider} in openclaw.json and take profiles and fallbacks away`,
    };
  }
  return undefined;
}

/** The gateway tells the reasons apart by its text only (OpenClaw 2026.9.6). */
function judgeFailure({ use }: Setup, who: string, model: string, text: string): Disproof {
  if (/temporarily disabled|cooldown/i.test(text)) {
    throw new AdapterError("inconclusive", `${who}: OpenClaw has ${use.provider} in a cooldown after an earlier refusal`, {
      cure: "nothing to do: it lifts after 30 s, or up to an hour when the vendor had called a key revoked",
    });
  }
  if (/HTTP 401|Authentication failed/i.test(text))
    return refusedBy(`${who}: the vendor refused the key of ${use.provider} in a model run`);
  if (/is not allowed for agent/i.test(text)) {
    throw new AdapterError("misconfigured", `${who}: the model ${model} is not allowed for this agent`, {
      cure: "set `model` beside `provider` to an allowed one",
    });
  }
  throw new AdapterError("inconclusive", `${who}: the model run with ${use.provider} failed for a reason that says nothing about the key`);
}
