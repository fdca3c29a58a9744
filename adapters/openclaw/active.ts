import { z } from "zod";
import { hasCode } from "../../src/contract/errors.ts";
import { Secret } from "../../src/contract/secret.ts";
import type { Gateway } from "./gateway.ts";
import { namesIn, pathOf } from "./paths.ts";

/** What references of openclaw.json lead to, as the gateway shows it (OpenClaw 2026.9.6). */

const secret = z.string().transform((value) => new Secret(value));
const resolved = z.object({ assignments: z.array(z.object({ path: z.string(), value: secret })) });

/** A setting of openclaw.json that holds a reference, and the value that it resolved to. */
type Assignment = z.output<typeof resolved>["assignments"][number];

const SEARCH = ["brave", "exa", "firecrawl", "google", "minimax", "moonshot", "parallel", "perplexity", "tavily", "xai"];

/** The kinds of settings that may hold the key of a vendor, as `secrets.resolve` calls them; those of a plugin have its name in them. */
const KEY_TARGETS = [
  "models.providers.*.apiKey",
  "models.providers.*.headers.*",
  "models.providers.*.request.headers.*",
  "models.providers.*.request.auth.token",
  "models.providers.*.request.auth.value",
  "memory.search.remote.apiKey",
  "agents.entries.*.memory.search.remote.apiKey",
  ...["tts", "agents.entries.*.tts"].flatMap((tts) => [`${tts}.providers.*.apiKey`, `${tts}.personas.*.providers.*.apiKey`]),
  "talk.providers.*.apiKey",
  "talk.realtime.providers.*.apiKey",
  "skills.entries.*.apiKey",
  ...SEARCH.map((plugin) => `plugins.entries.${plugin}.config.webSearch.apiKey`),
  "plugins.entries.firecrawl.config.webFetch.apiKey",
  "plugins.entries.typesafe.config.apiKey",
  ...["facetime", "google-meet", "voice-call"].map((plugin) => `plugins.entries.${plugin}.config.realtime.providers.*.apiKey`),
  ...["streaming", "tts"].map((part) => `plugins.entries.voice-call.config.${part}.providers.*.apiKey`),
  ...["channels.discord.voice", "channels.discord.accounts.*.voice"].flatMap((voice) =>
    ["realtime", "tts", "tts.personas.*"].map((part) => `${voice}.${part}.providers.*.apiKey`),
  ),
];

function isOfKind(target: string, path: string): boolean {
  const [kind, names] = [namesIn(target), namesIn(path)];
  return kind.length === names.length && kind.every((name, index) => name === "*" || name === names[index]);
}

/** The values in use at these paths: of the active snapshot, not of the store. A path that has none is left out. */
export async function activeValues(gateway: Gateway, paths: readonly string[]): Promise<readonly Assignment[]> {
  const targetIds = [...new Set(paths.map((path) => KEY_TARGETS.find((target) => isOfKind(target, path)) ?? path))];
  const params = { commandName: "key-rotation", targetIds, allowedPaths: paths };
  return (await gateway.call("secrets.resolve", params, resolved)).assignments;
}

/** The kinds that may be found here. For one of a plugin the gateway looks through all plugins: it is asked only where a reference stands. */
export function keyTargets({ references }: Settings): readonly string[] {
  const isThere = (target: string) => references.some(({ path }) => isOfKind(target, path));
  return KEY_TARGETS.filter((target) => !/^(plugins|channels)\./.test(target) || isThere(target));
}

/** The paths of these kinds at which a reference resolves to this very value, as far as the gateway tells. */
export async function pathsThatHold(gateway: Gateway, value: Secret, targets: readonly string[]): Promise<readonly string[]> {
  const paths: string[] = [];
  for (const target of targets) {
    try {
      const { assignments } = await gateway.call("secrets.resolve", { commandName: "key-rotation", targetIds: [target] }, resolved);
      paths.push(...assignments.filter((assignment) => assignment.value.equals(value)).map(({ path }) => path));
    } catch (error) {
      if (!hasCode(error, "invalid")) throw error; // another version of OpenClaw may not know this kind of setting
    }
  }
  return paths;
}

const reference = z.object({ source: z.string(), provider: z.string().optional() });
const config = z.object({ config: z.record(z.string(), z.unknown()) });

/** A setting as openclaw.json has it: where a reference leads, but for its id, which the gateway blacks out. */
export type Setting =
  | { readonly is: "reference"; readonly source: string; readonly provider: string | undefined }
  | { readonly is: "plain" }
  | { readonly is: "absent" };

/** All references of openclaw.json by their path, and what stands at single paths. */
export interface Settings {
  at(path: string): Setting;
  readonly references: readonly { readonly path: string; readonly source: string; readonly provider: string | undefined }[];
}

/** Reads openclaw.json through the gateway. */
export async function readSettings(gateway: Gateway): Promise<Settings> {
  const { config: root } = await gateway.call("config.get", {}, config);
  return {
    at(path) {
      const value = namesIn(path).reduce<unknown>((node, step) => (isObject(node) ? node[step] : undefined), root);
      if (value === undefined) return { is: "absent" };
      const { data } = reference.safeParse(value);
      return data === undefined ? { is: "plain" } : { is: "reference", source: data.source, provider: data.provider };
    },
    references: [...findReferences(root, [])],
  };
}

function* findReferences(value: unknown, path: readonly string[]): Generator<Settings["references"][number]> {
  // What stands under `secrets` are the sources themselves.
  if (!isObject(value) || path[0] === "secrets") return;
  const { data } = reference.extend({ id: z.string() }).safeParse(value);
  if (data !== undefined) yield { path: pathOf(path), source: data.source, provider: data.provider };
  else for (const [name, inner] of Object.entries(value)) yield* findReferences(inner, [...path, name]);
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
