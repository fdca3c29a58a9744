import type { Document, Path } from "./document.ts";
import type { Problem } from "./error.ts";
import { named, unknownName } from "./explain.ts";
import type { Parts } from "./parsed.ts";
import type { Plugs } from "./schema.ts";
import type { Suggest } from "./suggest.ts";
import { placesOf, tell, type Value } from "./values.ts";

/** A place of the file that names a credential of the same file as `{ store: NAME }`. */
export interface OwnCredential {
  readonly path: Path;
  readonly credential: string;
}

export function ownCredentials(values: readonly Value[]): readonly OwnCredential[] {
  return values.flatMap(({ path, value }) => {
    if (typeof value !== "object" || value === null || path.length < 3) return [];
    const [only, ...others] = Object.entries(value);
    if (only?.[0] !== "store" || typeof only[1] !== "string" || others.length > 0) return [];
    return [{ path: [...path, "store"], credential: only[1] }];
  });
}

/** Names that nobody has, values that cannot be read back, and stores that could never be opened. */
export function wrongReferences(
  own: readonly OwnCredential[],
  parts: Parts,
  document: Document,
  plugs: Plugs,
  suggest: Suggest,
): readonly Problem[] {
  const names = Object.keys(credentialsOf(document));
  return own.flatMap(({ path, credential }) => {
    if (!names.includes(credential)) {
      const { message, hint } = unknownName(credential, named("credential", names), suggest);
      return [tell(document, path, message, hint)];
    }
    const type = parts.stores[parts.credentials[credential]?.store.use ?? ""]?.type ?? "";
    if (plugs.stores[type] !== undefined && plugs.stores[type].connect === undefined) {
      const message = `the store of credential "${credential}" can only be a mirror`;
      return [tell(document, path, message, "a value is read back from a primary store: give the credential another one")];
    }
    const opened = openedAt(path, parts);
    const circle = opened === undefined ? undefined : wayBackTo(opened, credential, openers(own, parts), parts);
    return circle === undefined ? [] : [tell(document, path, inWords(circle), SOMEWHERE_ELSE)];
  });
}

const SOMEWHERE_ELSE = "keep it, and its mirrors, in a store that opens without it, such as one of type file";

/** A key whose use nobody can show could never be revoked. One that rotated itself uses is shown by rotated. */
export function unproven(own: readonly OwnCredential[], document: Document): readonly Problem[] {
  const shown = new Set(own.map(({ credential }) => credential));
  return Object.entries(credentialsOf(document)).flatMap(([name, credential]) => {
    const path = ["credentials", name, "consumers"];
    const { consumers } = credential;
    const none = consumers === undefined ? !document.has(path) : Array.isArray(consumers) && consumers.length === 0;
    if (!none || shown.has(name)) return [];
    const message = "no consumer: nothing would show that a new key is in use, so no old key could be revoked";
    return [tell(document, path, message, "say who uses it: { use: NAME, … }, where `use` names one of `consumers`")];
  });
}

/** As they are written, right or wrong. */
function credentialsOf({ value }: Document): Readonly<Record<string, Readonly<Record<string, unknown>>>> {
  const { credentials } = (value ?? {}) as { credentials?: unknown };
  const entries = Object.entries(typeof credentials === "object" && credentials !== null ? credentials : {});
  return Object.fromEntries(entries.filter(([, entry]) => typeof entry === "object" && entry !== null));
}

/** The store that a setting helps to open. */
function openedAt([section, name, setting]: Path, { credentials }: Parts): string | undefined {
  if (section === "stores") return String(name);
  return section === "credentials" && setting === "store" ? credentials[String(name)]?.store.use : undefined;
}

/** The credentials that each store opens with. */
function openers(own: readonly OwnCredential[], parts: Parts): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  for (const { path, credential } of own) {
    const store = openedAt(path, parts);
    if (store !== undefined) found.set(store, [...(found.get(store) ?? []), credential]);
  }
  return found;
}

/** A credential and a store that it is kept in. */
type Kept = readonly [credential: string, store: string];

/** How `store` is needed to read the credential that it opens with, if it is; a copy in a mirror counts as well. */
function wayBackTo(
  store: string,
  credential: string,
  opens: ReadonlyMap<string, readonly string[]>,
  parts: Parts,
  seen: readonly string[] = [],
): readonly Kept[] | undefined {
  if (seen.includes(credential)) return undefined;
  const places = placesOf(parts.credentials).filter(({ name }) => name === credential);
  for (const { use } of places.map(({ used }) => used)) {
    const here: Kept = [credential, use];
    if (use === store) return [here];
    for (const next of opens.get(use) ?? []) {
      const rest = wayBackTo(store, next, opens, parts, [...seen, credential]);
      if (rest !== undefined) return [here, ...rest];
    }
  }
  return undefined;
}

function inWords(circle: readonly Kept[]): string {
  const links = circle.map(([credential, store], index) => {
    const place = index === circle.length - 1 ? "this store" : `store "${store}"`;
    return `credential "${credential}", which is kept in ${place}`;
  });
  return `a circle: this store opens with ${links.join(", which opens with ")}`;
}
