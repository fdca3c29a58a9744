import type { Finding } from "../../../src/contract/finding.ts";
import type { Secret } from "../../../src/contract/secret.ts";
import { keyTargets, readSettings, type Settings } from "../../openclaw/active.ts";
import { type Gateway, openGateway } from "../../openclaw/gateway.ts";
import { probe, shadows } from "./probe.ts";
import { notTheSame } from "./same-value.ts";
import { keyPath, type Setup } from "./settings.ts";
import { agentsInUse, degradation, providerEntry, watchedPaths } from "./views.ts";

/** Everything that would keep a reload from making the store's value the one in use, as far as the gateway shows it. */
export async function preflight(setup: Setup, current: Secret | undefined, signal: AbortSignal): Promise<readonly Finding[]> {
  using gateway = await openGateway(setup, signal);
  const entry = await providerEntry(gateway, setup);
  if (entry === undefined) {
    const { name, use } = setup;
    const message = `${name}: openclaw.json has no models.providers.${use.provider}`;
    return [{ code: "noProvider", message, cure: "`provider` must be the name of an entry under models.providers" }];
  }
  const wrong = setup.use.path === undefined ? notAReference(setup, entry.apiKey) : [];
  if (wrong.length > 0) return wrong;
  const settings = await readSettings(gateway);
  const unseen = fromEnvironment(setup, settings);
  if (unseen.length > 0) return unseen;
  return [
    ...(current === undefined ? [] : await notTheStores(setup, gateway, settings, current, signal)),
    ...(entry.auth === "api-key" ? [] : await shadowed(setup, gateway)),
  ];
}

const CURE = `make it a reference to the place that this credential's store writes, "apiKey": { "source": "file", "provider": …, "id": … }, to what rotatectl resolve --install wrote: { "source": "exec", … }, or to the entry of OpenClaw's own store that is its mirror`;

function notAReference(setup: Setup, apiKey: { source: string } | string | undefined): readonly Finding[] {
  const path = keyPath(setup);
  if (apiKey === undefined)
    return [{ code: "noKey", message: `${setup.name}: ${path} is not set: OpenClaw finds the key elsewhere`, cure: CURE }];
  if (typeof apiKey === "string") {
    return [
      {
        code: "plainKey",
        message: `${setup.name}: ${path} is a plain key or the name of an auth profile: a reload leaves it as it is`,
        cure: CURE,
      },
    ];
  }
  return apiKey.source === "env" ? [environmentReference(setup, path)] : [];
}

/** The same at a path of its own, and at those that follow. */
function fromEnvironment(setup: Setup, settings: Settings): readonly Finding[] {
  const isVariable = (path: string) => {
    const setting = settings.at(path);
    return setting.is === "reference" && setting.source === "env";
  };
  return watchedPaths(setup)
    .filter(isVariable)
    .map((path) => environmentReference(setup, path));
}

function environmentReference({ name }: Setup, path: string): Finding {
  const message = `${name}: ${path} refers to an environment variable: a reload never sees a new value`;
  return { code: "environmentReference", message, cure: CURE };
}

async function notTheStores(
  setup: Setup,
  gateway: Gateway,
  settings: Settings,
  current: Secret,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const { name } = setup;
  const degraded = await degradation(gateway, setup, signal);
  const [paths, elsewhere] = [watchedPaths(setup), keyTargets(settings)];
  const differing = await notTheSame(gateway, { name, what: "key", paths, elsewhere, isDegraded: degraded !== undefined }, current);
  if (degraded === undefined) return differing;
  const cure = `${degraded.cure}; then run: openclaw secrets reload`;
  return [{ code: "degraded", message: degraded.cause, cure, byReload: true }, ...differing];
}

/** One live request per agent and credential; how they end is no concern of a pre-flight. */
async function shadowed(setup: Setup, gateway: Gateway): Promise<readonly Finding[]> {
  const findings = new Map<string, Finding>();
  for (const agent of await agentsInUse(gateway, setup)) {
    const { others } = await probe(setup, gateway, agent.id);
    for (const finding of shadows(setup, others)) findings.set(finding.message, finding);
  }
  return [...findings.values()];
}
