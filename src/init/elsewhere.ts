import { type Discretion, FORM } from "./discretion.ts";
import { entriesAt, type Mapping } from "./mapping.ts";

/** A setting outside of `models.providers.*.apiKey` that may hold a vendor's key. */
export interface OtherSetting {
  /** `undefined` when a name in it is not to be repeated, or has a dot, which no path of a setting can tell apart. */
  readonly path: string | undefined;
  readonly value: unknown;
}

/** Where OpenClaw 2026.9.6 takes vendors' keys besides: docs/reference/secretref-credential-surface.md in its package. */
const PLACES = [
  "memory.search.remote.apiKey",
  "agents.entries.*.memory.search.remote.apiKey",
  "agents.entries.*.tts.providers.*.apiKey",
  "agents.entries.*.tts.personas.*.providers.*.apiKey",
  "models.providers.*.headers.*",
  "models.providers.*.request.auth.token",
  "models.providers.*.request.auth.value",
  "models.providers.*.request.headers.*",
  "plugins.entries.*.config.apiKey",
  "plugins.entries.*.config.webSearch.apiKey",
  "plugins.entries.*.config.webFetch.apiKey",
  "plugins.entries.*.config.realtime.providers.*.apiKey",
  "plugins.entries.*.config.streaming.providers.*.apiKey",
  "plugins.entries.*.config.tts.providers.*.apiKey",
  "skills.entries.*.apiKey",
  "talk.providers.*.apiKey",
  "talk.realtime.providers.*.apiKey",
  "tts.providers.*.apiKey",
  "tts.personas.*.providers.*.apiKey",
] as const;

/** Headers that carry a key; the others only tell who asks. */
const CARRIES_A_KEY = /auth|key|token|secret/i;

export function otherSettings(config: Mapping, { tell }: Discretion): readonly OtherSetting[] {
  return PLACES.flatMap((place) => {
    const found = collect(config, place.split("."));
    const keys = place.endsWith("headers.*") ? found.filter(({ names }) => CARRIES_A_KEY.test(names.at(-1) ?? "")) : found;
    return keys.map(({ names, value }) => {
      const speakable = names.every((name) => tell(name, FORM.name) !== undefined && !name.includes("."));
      return { path: speakable ? names.join(".") : undefined, value };
    });
  });
}

interface Found {
  readonly names: readonly string[];
  readonly value: unknown;
}

function collect(value: unknown, pattern: readonly string[]): readonly Found[] {
  const [first, ...rest] = pattern;
  if (first === undefined) return value === undefined || value === null || value === "" ? [] : [{ names: [], value }];
  const entries = entriesAt(value).filter(([name]) => first === "*" || name === first);
  return entries.flatMap(([name, inside]) => collect(inside, rest).map((found) => ({ ...found, names: [name, ...found.names] })));
}
