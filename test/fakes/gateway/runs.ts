import { randomUUID } from "node:crypto";
import { type OpenClawConfig, pathOf } from "./config.ts";
import type { Secrets } from "./secrets.ts";
import { callVendor, type VendorAnswer } from "./vendor.ts";

/** An auth profile: a key that OpenClaw keeps itself, for one agent. */
export interface Profile {
  readonly agent: string;
  readonly provider: string;
  readonly id: string;
  readonly key: string;
}

/** One conversation, and the run that is going on in it. */
export interface Session {
  readonly key: string;
  readonly modelProvider: string;
  hasActiveRun: boolean;
  readonly archived?: boolean;
  /** Set just before the run's first call to the vendor. */
  startedAt?: number;
}

export type Failure = "unauthorized" | "revoked" | "cooldown" | "cold" | "upstream" | "unknownModel";
export type RunEnd =
  | {
      readonly ok: true;
      readonly text: string;
      readonly provider: string;
      readonly credential: "direct" | "profile";
      readonly fallback: boolean;
    }
  | { readonly ok: false; readonly failure: Failure; readonly message: string };

interface RunRequest {
  readonly agent: string;
  readonly provider: string;
  readonly model: string;
  readonly prompt: string;
  readonly session?: Session;
  readonly onText?: (piece: string) => void;
}

/** Providers whose key OpenClaw takes from the environment, even over a reference. */
const ENVIRONMENT: Readonly<Record<string, string>> = {
  openai: "OPENAI_API_KEY",
  anthropic: "ANTHROPIC_API_KEY",
  openrouter: "OPENROUTER_API_KEY",
};
const REVOKED = /key has been (revoked|disabled)|api_key_(revoked|deactivated|deleted)|account has been deactivated|deactivated workspace/;

export type Runs = ReturnType<typeof makeRuns>;

/** What agents do with keys: choose one, keep it for a whole run, and shun a provider for a while after a refusal. */
export function makeRuns(config: OpenClawConfig, secrets: Secrets, env: Readonly<Record<string, string>>, cooldownMs: number) {
  const sessions: Session[] = [];
  const profiles: Profile[] = [];
  const cooldowns = new Map<string, number>();
  /** How long a run prepares before it says when it began. */
  const timing = { prepareMs: 0 };
  /** Agents whose calls the vendor refuses, for every key but one: their traffic leaves by another road, for one. */
  const acceptsOnly = new Map<string, string>();
  return { sessions, profiles, cooldowns, timing, acceptsOnly, agents, credentials, run, chat, probe };

  /** One call to the vendor on behalf of an agent. */
  async function ask(agent: string, ...[baseUrl, key, ...rest]: Parameters<typeof callVendor>): Promise<VendorAnswer> {
    if ((acceptsOnly.get(agent) ?? key) !== key) return { kind: "refused", status: 401, message: "Incorrect API key provided." };
    return callVendor(baseUrl, key, ...rest);
  }

  function agents(): readonly { id: string; model: { primary: string; fallbacks?: readonly string[] } }[] {
    const entries = config.agents.entries ?? { main: {} };
    return Object.entries(entries).map(([id, { model }]) => {
      const { primary, fallbacks } = model ?? config.agents.defaults.model;
      return { id, model: fallbacks.length === 0 ? { primary } : { primary, fallbacks } };
    });
  }

  /** Every credential that is known for a provider, with the label under which a probe shows it. */
  function credentials(agent: string, provider: string) {
    const entry = config.models.providers[provider];
    const variable = ENVIRONMENT[provider];
    const fromEnvironment = variable === undefined ? undefined : env[variable];
    const path = pathOf(["models", "providers", provider, "apiKey"]);
    const known = profiles.filter((profile) => profile.agent === agent && profile.provider === provider);
    const named = known.find(({ id }) => id === entry?.apiKey);
    return {
      configured:
        entry?.apiKey === undefined || named !== undefined
          ? undefined
          : { label: "Configured credential", key: secrets.value(entry.apiKey, path) },
      environment: fromEnvironment === undefined ? undefined : { label: `Environment credential (env: ${variable})`, key: fromEnvironment },
      profiles: known.map(({ id, key }) => ({ label: `Profile ${id}`, key, profileId: id })),
    };
  }

  /** The key that serves: the environment's beats the configured one, unless `"auth": "api-key"` stands there. */
  function serving(agent: string, provider: string): { key: string | undefined; credential: "direct" | "profile" } {
    const { configured, environment, profiles } = credentials(agent, provider);
    if (environment !== undefined && config.models.providers[provider]?.auth !== "api-key")
      return { key: environment.key, credential: "direct" };
    if (configured !== undefined) return { key: configured.key, credential: "direct" };
    return { key: profiles[0]?.key, credential: "profile" };
  }

  /** One run, of as many calls as its prompt says (`3 calls: …`); all of them with the key it began with. */
  async function run(request: RunRequest): Promise<RunEnd> {
    const { agent, provider, model, prompt, session } = request;
    const entry = config.models.providers[provider];
    if (entry === undefined || entry.models.every(({ id }) => id !== model))
      return { ok: false, failure: "unknownModel", message: `Unknown model: ${provider}/${model}` };
    const { key, credential } = serving(agent, provider);
    if (key === undefined)
      return { ok: false, failure: "cold", message: "SECRET_SURFACE_UNAVAILABLE: the configured credential could not be resolved" };
    if (timing.prepareMs > 0) await new Promise((resolve) => setTimeout(resolve, timing.prepareMs));
    if (session !== undefined) session.startedAt = Date.now();
    const place = `${agent} inline-api-key:${provider}`;
    const calls = Number(/^(\d+) calls: /.exec(prompt)?.[1] ?? 1);
    let text = "";
    for (let call = 0; call < calls; call++) {
      if ((cooldowns.get(place) ?? 0) > Date.now()) return { ok: false, failure: "cooldown", message: cooldownText(provider) };
      const answer = await ask(agent, entry.baseUrl, key, model, prompt, request.onText ?? (() => {}));
      if (answer.kind === "ok") text += answer.text;
      else return ended(answer, place);
    }
    return { ok: true, text, provider, credential, fallback: false };
  }

  function ended(answer: Exclude<VendorAnswer, { kind: "ok" }>, place: string): RunEnd {
    if (answer.kind === "failed") return { ok: false, failure: "upstream", message: `The provider failed (HTTP ${answer.status}).` };
    const revoked = REVOKED.test(answer.message);
    cooldowns.set(place, Date.now() + cooldownMs * (revoked ? 20 : 1));
    const message = `Authentication failed (provider returned HTTP ${answer.status}). ${answer.message}`;
    return { ok: false, failure: revoked ? "revoked" : "unauthorized", message };
  }

  /** A conversation's request: with fallbacks, unless the caller named a model. */
  async function chat(agent: string, target: string | undefined, prompt: string, onText: (piece: string) => void): Promise<RunEnd> {
    const own = agents().find(({ id }) => id === agent)?.model ?? { primary: "" };
    const targets = target === undefined ? [own.primary, ...(own.fallbacks ?? [])] : [target];
    let end: RunEnd = { ok: false, failure: "unknownModel", message: "no model" };
    for (const [index, candidate] of targets.entries()) {
      const slash = candidate.indexOf("/");
      const provider = candidate.slice(0, slash);
      const session: Session = { key: `agent:${agent}:openai:${randomUUID()}`, modelProvider: provider, hasActiveRun: true };
      sessions.push(session);
      end = await run({ agent, provider, model: candidate.slice(slash + 1), prompt, session, onText });
      session.hasActiveRun = false;
      if (end.ok) return { ...end, fallback: index > 0 };
    }
    return end;
  }

  /** Tries every credential of the provider once; no cooldown begins, and none is in the way. */
  async function probe(agent: string, provider: string) {
    const entry = config.models.providers[provider];
    if (entry === undefined) return { provider, status: "unknown", results: [] };
    const { configured, environment, profiles } = credentials(agent, provider);
    const model = entry.models[0]?.id ?? "";
    const results = [];
    for (const candidate of [configured, environment, ...profiles]) {
      if (candidate === undefined) continue;
      const began = Date.now();
      const status =
        candidate.key === undefined ? "unknown" : probed(await ask(agent, entry.baseUrl, candidate.key, model, "ping", () => {}));
      const { key: _, ...shown } = candidate;
      results.push({ ...shown, label: `${candidate.label} · ${provider}/${model}`, status, latencyMs: Date.now() - began });
    }
    const status = results.some((row) => row.status === "ok") ? "ok" : (results[0]?.status ?? "unknown");
    return { provider, status, latencyMs: results[0]?.latencyMs ?? 0, results };
  }
}

function probed(answer: VendorAnswer): string {
  if (answer.kind === "ok") return "ok";
  if (answer.kind === "refused") return "auth";
  return answer.status === 402 ? "billing" : answer.status === 404 ? "format" : "unknown";
}

const cooldownText = (provider: string) =>
  `Inline API key for provider "${provider}" is temporarily disabled after a provider auth/billing failure. Try again later.`;
