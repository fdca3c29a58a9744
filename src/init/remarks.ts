import { type Discretion, FORM } from "./discretion.ts";
import type { KeyPlace } from "./keys.ts";
import { at, entriesAt, type Mapping, variableIn } from "./mapping.ts";
import type { Reading } from "./read.ts";

/** These names have variables that win over a reference, and no answer of the gateway shows it (OpenClaw 2026.9.6). */
const SHADOWED = new Set(["openai", "anthropic", "openrouter"]);

/** What would be used in the place of this key. */
export function shadowed(provider: string, entry: unknown, place: KeyPlace, config: Mapping): readonly string[] {
  if (!SHADOWED.has(provider) || at(entry, "auth") === "api-key" || place.is === "environment") return [];
  const variable = `${provider.toUpperCase()}_API_KEY`;
  const how =
    variableIn(config, variable) !== undefined
      ? `env sets ${variable}, which is used in the place of this key`
      : `a variable ${variable} of the gateway would be used in the place of this key`;
  return [`models.providers.${provider} lacks "auth": "api-key": ${how}.`];
}

/** The includes that were not followed. */
export function notIncluded({ refusals }: Reading, { tell }: Discretion): readonly string[] {
  return refusals.map(({ path, include, why }) => {
    const place = path.every((name) => tell(name, FORM.name) !== undefined) ? path.join(".") : "…";
    const named = tell(include, FORM.include);
    return `$include${place === "" ? "" : ` at ${place}`}${named === undefined ? "" : ` of ${named}`} was not followed: ${why}`;
  });
}

/** Providers that agents use and that have no entry of their own: OpenClaw knows them, and finds their keys elsewhere. */
export function unlisted(config: Mapping, { tell }: Discretion): readonly string[] {
  const listed = new Set(entriesAt(config, "models", "providers").map(([name]) => name));
  const list = at(config, "agents", "list");
  const agents = [
    at(config, "agents", "defaults"),
    ...entriesAt(config, "agents", "entries").map(([, agent]) => agent),
    ...(Array.isArray(list) ? list : []),
  ];
  const models = agents.flatMap((agent) => {
    const model = at(agent, "model");
    const fallbacks = at(model, "fallbacks");
    return [model, at(model, "primary"), ...(Array.isArray(fallbacks) ? fallbacks : [])];
  });
  const providers = models.flatMap((model) =>
    typeof model === "string" && model.includes("/") ? [model.slice(0, model.indexOf("/"))] : [],
  );
  return [...new Set(providers)]
    .filter((name) => !listed.has(name))
    .map(
      (name) =>
        `agents use the provider ${tell(name, FORM.name) ?? "…"}, which models.providers does not have: its key comes from an auth profile or the environment; give it an entry with a reference`,
    );
}
