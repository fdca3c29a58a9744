import { isLoopback } from "../contract/loopback.ts";
import type { Schedule } from "./config.ts";
import type { Document } from "./document.ts";
import type { Problem } from "./error.ts";
import { ownCredentials, unproven, wrongReferences } from "./own-credentials.ts";
import type { ParsedCredential, Parts } from "./parsed.ts";
import type { Plugs } from "./schema.ts";
import type { Suggest } from "./suggest.ts";
import { unusedConsumers, wrongConsumers } from "./through.ts";
import { longestGapMs } from "./time.ts";
import { placesOf, tell, type Value, valuesOf } from "./values.ts";

const HOUR_MS = 60 * 60 * 1000;

/** What no schema of a single setting can see. */
export interface Checked {
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
}

export function check(parts: Parts, document: Document, plugs: Plugs, suggest: Suggest): Checked {
  const values = valuesOf(document);
  const plain = values.filter(({ value }) => isPlainAddress(value));
  const own = ownCredentials(values);
  return {
    problems: [
      ...(parts.network.allowHttp ? [] : plain.map(({ path }) => tell(document, path, ...PLAIN_HTTP))),
      ...sharedCells(parts, document, plugs),
      ...wrongRoles(parts, document, plugs),
      ...wrongConsumers(parts, document, plugs, suggest),
      ...unusedConsumers(parts, document, plugs),
      ...shortLives(parts, document, plugs),
      ...wrongReferences(own, parts, document, plugs, suggest),
      ...unproven(own, document),
    ],
    warnings: [...secretsInEnvironment(values, document), ...hasty(parts, document)],
  };
}

const PLAIN_HTTP = [
  "plain http or ws to another host",
  "use https or wss; or, where the network in between is trusted, set network.allowHttp",
] as const;

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
  const { listLag: _list, revokeLag: _revoke, lastUsedLag: _lag, lastUsedPrecision: _precision, ...own } = settings;
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

function secretsInEnvironment(values: readonly Value[], document: Document): readonly Problem[] {
  return values.flatMap(({ path, value }) => {
    if (typeof value !== "object" || value === null || Object.keys(value).join() !== "env") return [];
    const hint = "the whole process can read its environment, and so can whoever may read /proc: prefer { credential } or { file }";
    return [tell(document, path, "a secret in the environment", hint)];
  });
}

function isPlainAddress(value: unknown): boolean {
  if (typeof value !== "string" || !/^(http|ws):\/\//i.test(value) || !URL.canParse(value)) return false;
  return !isLoopback(new URL(value));
}
