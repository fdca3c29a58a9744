import { basename } from "node:path";
import { type Discretion, FORM } from "./discretion.ts";
import { at, isMapping, type Mapping, variableIn } from "./mapping.ts";
import { expandHome } from "./read.ts";

/** Where a setting of OpenClaw has its key from. */
export type KeyPlace =
  | { readonly is: "absent" }
  | { readonly is: "plain" }
  | { readonly is: "environment"; readonly variable: string }
  | { readonly is: "file"; readonly path: string; readonly field?: string }
  | { readonly is: "vault"; readonly path: string; readonly field: string }
  /** `rotatectl resolve` gives it, as the credential of this name. */
  | { readonly is: "resolve"; readonly credential: string }
  /** An entry of OpenClaw's own store. */
  | { readonly is: "own store"; readonly entry: string }
  /** A reference that cannot be followed. */
  | { readonly is: "unclear"; readonly why: string };

/** A key as a setting refers to it. */
export interface FollowedKey {
  readonly place: KeyPlace;
  /** Equal for two settings that get one and the same value. It may be a secret: it is compared, never shown. */
  readonly cell: string | undefined;
}

const ENVIRONMENT = /^\$\{([A-Z_][A-Z0-9_]*)\}$/;
/** Something in the gateway's environment fills it in. */
const SUBSTITUTED = /(^|[^$])\$\{/;

/** Follows the value of a setting to where its key is. No file but the configuration is read, and nothing is called. */
export function followKey(value: unknown, config: Mapping, home: string, { tell }: Discretion): FollowedKey {
  if (value === undefined || value === null || value === "") return { place: { is: "absent" }, cell: undefined };
  if (typeof value === "string") {
    const variable = tell(ENVIRONMENT.exec(value)?.[1], FORM.variable);
    if (variable === undefined) return { place: { is: "plain" }, cell: `plain ${value}` };
    const place = { is: "environment", variable } as const;
    return { place, cell: JSON.stringify(place) };
  }
  const source = at(value, "source");
  if (!isMapping(value) || typeof source !== "string") return unclear("it is neither text nor a reference");
  const defaults = at(config, "secrets", "defaults", source);
  const alias = at(value, "provider") ?? defaults ?? "default";
  const id = at(value, "id");
  const place = follow(source, alias, id);
  return { place, cell: place.is === "unclear" ? undefined : JSON.stringify(place) };

  function follow(kind: string, name: unknown, reference: unknown): KeyPlace {
    if (kind === "env") {
      const variable = tell(reference, FORM.variable);
      return variable === undefined ? told("its id is no name of a variable, or looks like a key") : { is: "environment", variable };
    }
    if (kind === "store") {
      const entry = tell(reference, FORM.variable);
      return entry === undefined ? told("its id is no name of an entry, or looks like a key") : { is: "own store", entry };
    }
    const from = typeof name === "string" ? at(config, "secrets", "providers", name) : undefined;
    const called = tell(name, FORM.alias);
    if (!isMapping(from)) return told(`secrets.providers has no ${called === undefined ? "entry of that name" : `"${called}"`}`);
    if (from["source"] !== kind) return told(`secrets.providers.${called ?? "…"} is of another source`);
    if (kind === "file") return inFile(from, reference);
    if (kind === "exec") return ofProgram(from, called, reference);
    return told("its source is none that is known");
  }

  function inFile(from: Mapping, reference: unknown): KeyPlace {
    const given = from["path"];
    if (typeof given === "string" && SUBSTITUTED.test(given)) return told("its path hangs on the gateway's environment");
    const path = typeof given === "string" ? tell(expandHome(given, home), FORM.path) : undefined;
    if (path === undefined || path.endsWith("/")) return told("its path is not the absolute path of a file, or looks like a key");
    if (from["mode"] === "singleValue") return { is: "file", path };
    const field = tell(reference, FORM.pointer);
    return field === undefined ? told("its id is no JSON pointer, or looks like a key") : { is: "file", path, field };
  }

  function ofProgram(from: Mapping, name: string | undefined, reference: unknown): KeyPlace {
    const word = tell(reference, FORM.word);
    const plugin = at(from, "pluginIntegration", "pluginId");
    if (plugin === "vault") {
      if (variableIn(config, "OPENCLAW_VAULT_KV_VERSION") === "1")
        return told("it is in version 1 of Vault's KV engine, which keeps no versions");
      const cut = word?.lastIndexOf("/") ?? -1;
      if (word === undefined || cut < 1 || cut === word.length - 1) return told("its id is not PATH/FIELD, as the plugin vault needs it");
      const path = tell(word.slice(0, cut), FORM.vault);
      return path === undefined ? told("its id is no path of Vault") : { is: "vault", path, field: word.slice(cut + 1) };
    }
    if (plugin !== undefined) return told(`the plugin ${tell(plugin, FORM.name) ?? "…"} gives it, which is no store of rotated`);
    const command = from["command"];
    const ours = name === "rotated" || (typeof command === "string" && basename(command) === "rotated-resolve");
    if (ours && word !== undefined) return { is: "resolve", credential: word };
    return told("a program gives it, and where that has it from cannot be seen");
  }
}

function told(why: string): KeyPlace {
  return { is: "unclear", why };
}

function unclear(why: string): FollowedKey {
  return { place: told(why), cell: undefined };
}
