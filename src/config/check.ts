import type { z } from "zod";
import type { Schedule } from "./config.ts";
import type { Document, Path } from "./document.ts";
import type { Problem } from "./error.ts";
import { pathText } from "./explain.ts";
import type { fileSchema, Plugs } from "./schema.ts";
import { listNames, makeSuggest } from "./suggest.ts";
import { longestGapMs } from "./time.ts";

export type Parsed = z.output<ReturnType<typeof fileSchema>>;
export type ParsedCredential = Parsed["credentials"][string];
/** What is needed for the checks; entries that are wrong in themselves are left out. */
export type Parts = Pick<Parsed, "providers" | "stores" | "consumers" | "credentials" | "network" | "timing">;

const HOUR_MS = 60 * 60 * 1000;

/** What no schema of a single setting can see. */
export interface Checked {
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
}

export function check(parts: Parts, document: Document, plugs: Plugs): Checked {
  const plain = valuesOf(document).filter(({ value }) => isPlainAddress(value));
  return {
    problems: [
      ...(parts.network.allowHttp ? [] : plain.map(({ path }) => tell(document, path, ...PLAIN_HTTP))),
      ...sharedCells(parts, document, plugs),
      ...wrongRoles(parts, document, plugs),
      ...wrongConsumers(parts, document, plugs),
      ...unusedConsumers(parts, document, plugs),
      ...shortLives(parts, document, plugs),
    ],
    warnings: [...secretsInEnvironment(document), ...hasty(parts, document)],
  };
}

const PLAIN_HTTP = [
  "plain http or ws to another host",
  "use https or wss; or, where the network in between is trusted, set network.allowHttp",
] as const;

function tell(document: Document, path: Path, message: string, hint: string): Problem {
  return { path: pathText(path), ...document.valueAt(path), message, hint };
}

/** Two credentials in one place would overwrite each other. */
function sharedCells({ stores, credentials }: Parts, document: Document, plugs: Plugs): readonly Problem[] {
  const taken = new Map<string, string>();
  return placesOf(credentials).flatMap(({ name, path, used: { use, ...place } }) => {
    const { type = "", ...settings } = stores[use] ?? {};
    const definition = plugs.stores[type];
    if (definition === undefined) return [];
    const cell = JSON.stringify([type, definition.cell(settings, place)]);
    const other = taken.get(cell);
    taken.set(cell, other ?? name);
    if (other === undefined) return [];
    const message = other === name ? "the same place twice" : `the same place as credential "${other}"`;
    return [tell(document, path, message, "give each credential places of its own")];
  });
}

/** Some kinds of store keep no versions and can only be mirrors; some can only be the store itself. */
function wrongRoles({ stores, credentials }: Parts, document: Document, plugs: Plugs): readonly Problem[] {
  return placesOf(credentials).flatMap(({ path, used: { use }, role }) => {
    const definition = plugs.stores[stores[use]?.type ?? ""];
    if (definition === undefined || definition[role] !== undefined) return [];
    const [message, hint] =
      role === "connect"
        ? ["this kind of store can only be a mirror", "name it under mirrors, and another one as the store"]
        : ["this kind of store cannot be a mirror", "take it out of mirrors"];
    return [tell(document, path, message, hint)];
  });
}

/** Some plugs go through a consumer of the file: there must be one of that name, and of the type that they speak to. */
function wrongConsumers(parts: Parts, document: Document, plugs: Plugs): readonly Problem[] {
  const types = consumerTypes(document);
  const suggest = makeSuggest();
  return (["providers", "stores"] as const).flatMap((section) =>
    Object.entries(parts[section]).flatMap(([name, { type, ...settings }]) => {
      const { through } = plugs[section][type] ?? {};
      if (through === undefined) return [];
      const wanted = String(settings[through.setting]);
      if (types.get(wanted) === through.type) return [];
      const candidates = [...types.keys()].filter((candidate) => types.get(candidate) === through.type);
      const near = suggest(wanted, candidates);
      const message = types.has(wanted)
        ? `consumer "${wanted}" is not of type ${through.type}`
        : `no consumer ${near === undefined ? "of this name" : `"${wanted}"`}`;
      const known =
        candidates.length === 0
          ? `there is none of type ${through.type}: add one under consumers`
          : `consumers of type ${through.type}: ${listNames(candidates)}`;
      return [tell(document, [section, name, through.setting], message, near === undefined ? known : `did you mean "${near}"?`)];
    }),
  );
}

/** As they stand in the file, right or wrong in themselves. */
function consumerTypes({ value }: Document): ReadonlyMap<string, unknown> {
  const { consumers } = (value ?? {}) as { readonly consumers?: Readonly<Record<string, { readonly type?: unknown } | null>> };
  return new Map(Object.entries(consumers ?? {}).map(([name, entry]) => [name, entry?.type]));
}

/** What is only reached through a consumer is only seen through it: the credential must use it. */
function unusedConsumers({ providers, stores, credentials }: Parts, document: Document, plugs: Plugs): readonly Problem[] {
  const places = placesOf(credentials).map(({ name, path, used, role }) => {
    const { type = "", ...settings } = stores[used.use] ?? {};
    return { name, path, what: role === "mirror" ? "mirror" : "store", through: plugs.stores[type]?.through, settings };
  });
  const issuers = Object.entries(credentials).map(([name, { provider }]) => {
    const { type = "", ...settings } = providers[provider] ?? {};
    const path: Path = ["credentials", name, "provider"];
    return { name, path, what: "provider", through: plugs.providers[type]?.through, settings };
  });
  const types = consumerTypes(document);
  return [...places, ...issuers].flatMap(({ name, path, what, through, settings }) => {
    if (through === undefined) return [];
    const wanted = String(settings[through.setting as keyof typeof settings]);
    if (types.get(wanted) !== through.type || credentials[name]?.consumers.some(({ use }) => use === wanted)) return [];
    const message = `this ${what} goes through consumer "${wanted}", which the credential does not use`;
    return [tell(document, path, message, `add it to the consumers of ${name}: { use: ${wanted}, … }`)];
  });
}

/** Every place of every credential: that of its store, and those of its mirrors. */
function placesOf(credentials: Parts["credentials"]) {
  return Object.entries(credentials).flatMap(([name, { store, mirrors }]) => [
    { name, path: ["credentials", name, "store"] as Path, used: store, role: "connect" as const },
    ...mirrors.map((used, index) => ({ name, path: ["credentials", name, "mirrors", index] as Path, used, role: "mirror" as const })),
  ]);
}

/** A key that expires before its successor is due, or while it is drained, would fail requests. */
function shortLives({ providers, credentials, timing }: Parts, document: Document, plugs: Plugs): readonly Problem[] {
  const lives = new Map(
    Object.entries(providers).map(
      ([name, { type, ...settings }]) => [name, plugs.providers[type]?.describe(ownSettings(settings)).keyLifetimeMs] as const,
    ),
  );
  return Object.entries(credentials).flatMap(([name, credential]) => {
    const life = lives.get(credential.provider);
    if (life === undefined) return [];
    const schedule = toSchedule(credential);
    const needed = (schedule === undefined ? 0 : longestGapMs(schedule) + credential.jitter) + credential.overlap + timing.drainLimit;
    if (life >= needed) return [];
    const path = ["credentials", name, ...(credential.cron !== undefined ? ["cron"] : credential.every !== undefined ? ["every"] : [])];
    const message = `a key of this provider lives ${inHours(Math.floor(life / HOUR_MS))}, but may be needed for ${inHours(Math.ceil(needed / HOUR_MS))}`;
    return [
      tell(
        document,
        path,
        message,
        "it must outlive the interval, the overlap and timing.drainLimit together: rotate more often, or let keys live longer",
      ),
    ];
  });
}

/** Rounded to hours, the shorter down and the longer up, so that the two never look equal. */
function inHours(hours: number): string {
  return hours < 72 ? `${hours} h` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** The settings of a provider's definition, without those that the configuration adds to each. */
export function ownSettings(settings: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { listLag: _, lastUsedLag: _lag, lastUsedPrecision: _precision, ...own } = settings;
  return own;
}

export function toSchedule({ every, cron, zone }: ParsedCredential): Schedule | undefined {
  if (every !== undefined) return { every };
  return cron !== undefined && zone !== undefined ? { cron, zone } : undefined;
}

function hasty({ credentials }: Parts, document: Document): readonly Problem[] {
  return Object.entries(credentials).flatMap(([name, { every }]) => {
    if (every === undefined || every >= HOUR_MS) return [];
    return [
      tell(
        document,
        ["credentials", name, "every"],
        "rotates more often than once an hour",
        "vendors limit how many keys may be made in a day",
      ),
    ];
  });
}

function secretsInEnvironment(document: Document): readonly Problem[] {
  return valuesOf(document).flatMap(({ path, value }) => {
    if (typeof value !== "object" || value === null || Object.keys(value).join() !== "env") return [];
    const hint = "the whole process can read its environment, and so can whoever may read /proc: prefer { credential } or { file }";
    return [tell(document, path, "a secret in the environment", hint)];
  });
}

/** Every setting of a plug, at any depth; not what stands in lists, such as the arguments of a command. */
function valuesOf({ value }: Document): readonly { readonly path: Path; readonly value: unknown }[] {
  const file = (value ?? {}) as Readonly<Record<string, unknown>>;
  return ["providers", "stores", "consumers", "credentials"].flatMap((section) => below([section], file[section]));
}

function below(path: Path, value: unknown): readonly { readonly path: Path; readonly value: unknown }[] {
  if (typeof value !== "object" || value === null) return [];
  // Of all lists only that of a credential's consumers holds settings.
  if (Array.isArray(value) && path.at(-1) !== "consumers") return [];
  return Object.entries(value).flatMap(([name, child]) => {
    const at = [...path, Array.isArray(value) ? Number(name) : name];
    return [{ path: at, value: child }, ...below(at, child)];
  });
}

function isPlainAddress(value: unknown): boolean {
  if (typeof value !== "string" || !/^(http|ws):\/\//i.test(value) || !URL.canParse(value)) return false;
  const { hostname } = new URL(value);
  return !(hostname === "localhost" || hostname.endsWith(".localhost") || hostname === "[::1]" || /^127(\.\d+){3}$/.test(hostname));
}
