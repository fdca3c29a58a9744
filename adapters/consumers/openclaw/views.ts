import { z } from "zod";
import { hasCode } from "../../../src/contract/errors.ts";
import { Secret } from "../../../src/contract/secret.ts";
import type { Gateway } from "../../openclaw/gateway.ts";
import { type Follower, keyPath, type Setup } from "./settings.ts";

/** What we ask a gateway, one function a question, and the shapes of its answers (OpenClaw 2026.9.6). */

const owner = z.object({
  degradationState: z.string().catch("unavailable"),
  paths: z.array(z.string()).catch([]),
  reason: z.string().catch("no reason was given"),
});
const status = z.object({ degradedSecretOwners: z.array(owner) });

/**
 * On its way `status` reads the history of every agent, which we do not want, and it says UNAVAILABLE while one of these
 * databases is being opened, as after an agent's first probe. So a no is not yet an answer about the secrets.
 */
const STATUS = { again: 5, pauseMs: 300 };

/** Why the reference could not be loaded; `undefined` when all is well with it. Other owners are not our concern. */
export async function degradation(
  gateway: Gateway,
  follower: Follower,
  signal: AbortSignal,
): Promise<{ readonly state: string; readonly reason: string } | undefined> {
  const paths = watchedPaths(follower);
  for (let again = STATUS.again; ; again--) {
    try {
      const { degradedSecretOwners } = await gateway.call("status", {}, status);
      const ours = degradedSecretOwners.find((candidate) => candidate.paths.some((path) => paths.includes(path)));
      return ours && { state: ours.degradationState, reason: Secret.mask(ours.reason) };
    } catch (error) {
      if (!hasCode(error, "unavailable") || again === 0) throw error;
      await follower.world.clock.sleep(STATUS.pauseMs, signal);
    }
  }
}

const agent = z.object({
  id: z.string(),
  model: z.object({ primary: z.string().optional(), fallbacks: z.array(z.string()).catch([]) }).catch({ fallbacks: [] }),
});
const agents = z.object({ agents: z.array(agent) });

/** Those agents that the key must be proved with, and the model to do it with where the agent itself has one. */
export async function agentsInUse(gateway: Gateway, { use }: Setup): Promise<readonly { id: string; model: string | undefined }[]> {
  const all = (await gateway.call("agents.list", {}, agents)).agents.map(({ id, model }) => {
    const own = [model.primary ?? "", ...model.fallbacks].find((name) => name.startsWith(`${use.provider}/`));
    return { id, model: use.model ?? own?.slice(use.provider.length + 1), serves: own !== undefined };
  });
  if (use.agents !== undefined) return use.agents.map((id) => all.find((one) => one.id === id) ?? { id, model: use.model });
  const serving = all.filter(({ serves }) => serves);
  return serving.length > 0 ? serving : all;
}

const reference = z.object({ source: z.string(), provider: z.string().optional() });
const provider = z.object({ apiKey: z.union([reference, z.string()]).optional().catch(undefined), auth: z.string().optional() });
const config = z.object({
  config: z.object({ models: z.object({ providers: z.record(z.string(), provider) }) }).catch({ models: { providers: {} } }),
});

/** The provider's entry in openclaw.json as far as the gateway shows it (values and ids are blacked out). */
export async function providerEntry(gateway: Gateway, { use }: Setup): Promise<z.output<typeof provider> | undefined> {
  return (await gateway.call("config.get", {}, config)).config.models.providers[use.provider];
}

/** The paths that must follow in a rotation, the key's own first. */
export function watchedPaths(follower: Follower): readonly [string, ...string[]] {
  return [keyPath(follower), ...follower.use.also];
}

const log = z.object({ lines: z.array(z.string()) });
const line = z.object({ time: z.coerce.date() });

/** The log is written a moment after the answer. */
const LOG = { looks: 10, pauseMs: 100 };

/** Why a reload asked for at `since` (our clock) failed: the gateway's answer never says, its log does. */
export async function reloadFailure(gateway: Gateway, { world }: Follower, since: number, signal: AbortSignal): Promise<string> {
  try {
    for (let looks = LOG.looks; looks > 0; looks--) {
      const { lines } = await gateway.call("logs.tail", { limit: 200 }, log);
      const reason = lines
        .filter((text) => isSince(text, since + gateway.aheadMs))
        .map(reasonIn)
        .findLast((found) => found !== undefined);
      if (reason !== undefined) return Secret.mask(reason.replace(/\.\s*$/, ""));
      await world.clock.sleep(LOG.pauseMs, signal);
    }
    return "its log does not say why";
  } catch (error) {
    if (hasCode(error, "forbidden", "invalid", "malformed")) return "its log cannot be read";
    throw error;
  }
}

const reasonIn = (text: string) => /secrets\.reload failed: ([^"\\]{1,300})/.exec(text)?.[1];

/** Half a second of grace: the two clocks were compared over a network. */
function isSince(text: string, since: number): boolean {
  try {
    return line.parse(JSON.parse(text)).time.getTime() >= since - 500;
  } catch {
    return false;
  }
}
