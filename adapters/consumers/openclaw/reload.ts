import type { Holding } from "../../../src/contract/consumer.ts";
import type { Secret } from "../../../src/contract/secret.ts";
import { activeValues } from "../../openclaw/active.ts";
import { type Gateway, openGateway, refused } from "../../openclaw/gateway.ts";
import { type Follower, keyPath } from "./settings.ts";
import { degradation, reloadFailure, watchedPaths } from "./views.ts";

/**
 * A reload that arrives while another one runs joins it, and that one may have read the store before our write: it
 * answers ok, and the old value stays. The next reload is a new one. So this is no retry of a failure but what makes one reload of ours.
 */
const JOINED = { again: 5, pauseMs: 150 };

export async function reload(follower: Follower, expected: Secret, signal: AbortSignal): Promise<Holding> {
  using gateway = await openGateway(follower, signal);
  for (let again = JOINED.again; ; again--) {
    const askedAt = follower.world.clock.now();
    const answer = await gateway.ask("secrets.reload", {}, {});
    if (!answer.ok) {
      const { code, retryable, message: text } = answer.refusal;
      if (code !== "UNAVAILABLE" || retryable || !text.includes("secrets.reload failed"))
        throw refused(follower, "secrets.reload", answer.refusal);
      const reason = await reloadFailure(gateway, follower, askedAt, signal);
      if (!(reason.includes("superseded") && again > 0)) return strictFailure(follower, reason);
    }
    const holding = await held(follower, gateway, expected, signal);
    if (holding.holds !== "other" || again === 0) return holding;
    await follower.world.clock.sleep(JOINED.pauseMs, signal);
  }
}

/** What the gateway holds now. A reference that it could not load counts as stale even where the kept value is the expected one. */
async function held(follower: Follower, gateway: Gateway, expected: Secret, signal: AbortSignal): Promise<Holding> {
  const { degraded, lagging } = await look(follower, gateway, expected, signal);
  if (degraded !== undefined) return { holds: "stale", cause: degraded, cure: LOADABLE };
  return lagging === undefined ? { holds: "expected" } : { holds: "other", ...lagging };
}

/** What would speak against the expected value: a reference that could not be loaded, a setting with another value. */
export async function look(
  follower: Follower,
  gateway: Gateway,
  expected: Secret,
  signal: AbortSignal,
): Promise<{ readonly degraded?: string; readonly lagging?: { readonly cause: string; readonly cure: string } }> {
  const { name } = follower;
  const failure = await degradation(gateway, follower, signal);
  const paths = watchedPaths(follower);
  const active = await activeValues(gateway, paths);
  const path = paths.find((candidate) => active.find((one) => one.path === candidate)?.value.equals(expected) !== true);
  const absent = active.every((one) => one.path !== path);
  return {
    ...(failure && { degraded: `${name}: the gateway could not load ${keyPath(follower)} (${failure.state}): ${failure.reason}` }),
    ...(path && {
      lagging: {
        cause: `${name}: ${path} ${absent ? "holds no reference that the gateway resolved" : "has another value than the store"}`,
        cure: `${path} in openclaw.json must be a reference to the place that this credential's store writes`,
      },
    }),
  };
}

export const LOADABLE =
  "the source must answer and the place must exist; a file must be a plain one (no link) of mode 0600 that belongs to the account the gateway runs as";

/** One value that is empty, or a gateway token that cannot be read, keeps every other reference from being reloaded. */
function strictFailure({ name }: Follower, reason: string): Holding {
  return {
    holds: "stale",
    cause: `${name}: the gateway refused to reload its secrets: ${reason}`,
    cure: "give that setting a value that is not empty and can be read, or take it out of openclaw.json: until then nothing is reloaded",
  };
}
