import type { Consumer, Proof } from "../../../src/contract/consumer.ts";
import { AdapterError } from "../../../src/contract/errors.ts";
import type { Finding } from "../../../src/contract/finding.ts";
import type { Secret } from "../../../src/contract/secret.ts";
import { readSettings, type Settings } from "../../openclaw/active.ts";
import { openGateway } from "../../openclaw/gateway.ts";
import { knock } from "../../openclaw/knock.ts";
import { OWN_TOKEN } from "../../openclaw/paths.ts";
import { pair } from "./pair.ts";
import { look, reload } from "./reload.ts";
import { notTheSame } from "./same-value.ts";
import type { Follower } from "./settings.ts";

/** What a gateway that is a client of another one shows to it. */
const REMOTE = "gateway.remote.token";

/** The gateway as the consumer of its own token. Our device token is another one, so our own connection outlives the change. */
export function ownToken(follower: Follower): Consumer {
  return {
    preflight: (current, signal) => preflight(follower, current, signal),
    reload: (expected, signal) => reload(follower, expected, signal),
    prove: (expected, signal) => prove(follower, expected, signal),
    pair: (signal) => pair(follower, signal),
    describe: () => ({
      reload: "the gateway takes the new token in place of the old one: who is connected with that is cut off, and needs the new one",
      prove: "one connection with the new token, on which nothing is done",
    }),
  };
}

/** Everything that would keep a reload from making the store's value the token, or the gateway from starting with it. */
async function preflight(follower: Follower, current: Secret | undefined, signal: AbortSignal): Promise<readonly Finding[]> {
  using gateway = await openGateway(follower, signal);
  const { name, use } = follower;
  const findings = wrongReference(name, await readSettings(gateway));
  if (current === undefined || findings.length > 0) return findings;
  const paths = [OWN_TOKEN, ...use.also];
  return await notTheSame(gateway, { name, what: "token", paths, elsewhere: [REMOTE], isDegraded: false }, current);
}

const OWN_FILE = `"token": { "source": "file", "provider": …, "id": "value" } with a file of its own`;
const OWN_STORE = `"token": { "source": "store", "provider": "default", "id": … } with a mirror of type openclaw-secrets`;
const CURE = `under gateway.auth in openclaw.json put ${OWN_STORE}, or ${OWN_FILE}`;

/** Kinds of references that cannot be: what is wrong with them, after "gateway.auth.token". */
const UNFIT: Readonly<Record<string, readonly [code: string, why: string]>> = {
  exec: ["execReference", "is an exec reference: the gateway would not start while rotated, or what it asks, is down"],
  env: ["environmentReference", "refers to an environment variable: a reload never sees a new value"],
};

function wrongReference(name: string, settings: Settings): readonly Finding[] {
  const found = (code: string, why: string, cure = CURE) => [{ code, message: `${name}: ${OWN_TOKEN} ${why}`, cure }];
  const setting = settings.at(OWN_TOKEN);
  if (setting.is === "absent") return found("noToken", "is not set: the gateway has its token from elsewhere");
  if (setting.is === "plain") return found("plainToken", "is a plain token: a reload leaves it as it is");
  const unfit = UNFIT[setting.source];
  if (unfit !== undefined) return found(...unfit);
  if (setting.source !== "file") return [];
  // A file that cannot be read keeps the gateway from loading anything when its token stands in it.
  const sharing = settings.references.filter(
    ({ path, source, provider }) => path !== OWN_TOKEN && path !== REMOTE && source === "file" && provider === setting.provider,
  );
  if (sharing.length === 0) return [];
  const others = sharing.map(({ path }) => path).join(", ");
  return found("sharedFile", `shares its file with ${others}: a mistake with one of them would keep the gateway from starting`);
}

/** That it holds the token is what it says itself; that it lets somebody in with it is tried. */
async function prove(follower: Follower, expected: Secret, signal: AbortSignal): Promise<Proof> {
  using gateway = await openGateway(follower, signal);
  const { degraded, lagging } = await look(follower, gateway, expected, signal);
  if (lagging !== undefined) return { result: "contradicted", ...lagging };
  if (degraded !== undefined) throw new AdapterError("inconclusive", degraded.cause, { cure: degraded.cure });
  if ((await knock(follower, expected, signal)) === "accepted") return { result: "proven", grade: "value", detail: { connected: true } };
  return {
    result: "contradicted",
    cause: `${follower.name}: the gateway holds the token and lets nobody in with it`,
    cure: 'set gateway.auth.mode to "token" in openclaw.json',
  };
}
