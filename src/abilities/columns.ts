import type { Supply } from "../model.ts";
import type { ProviderAbilities } from "./providers.ts";
import type { StoreAbilities } from "./stores.ts";

/** The columns that the pages of docs/ and `rotatectl` have in common, by what they show. */
export const PROVIDER_COLUMNS = {
  supply: "New keys",
  listLagMs: "Listed within",
  switchesOff: "Switched off",
  recovers: "Secret recovered",
  lastUsedLagMs: "Last use",
  expires: "Expiry",
  places: "Places",
} as const satisfies { readonly [ability in keyof ProviderAbilities]?: string };

export const STORE_COLUMNS = {
  primary: "Primary",
  mirror: "Mirror",
  keep: "Keep",
} as const satisfies { readonly [ability in keyof StoreAbilities]?: string };

const SUPPLIES: Readonly<Record<Supply, string>> = {
  create: "created",
  intake: "by a person",
  "dual-slot": "two slots",
  "in-place": "in place",
};

/** A row: what `abilities` has under each of `columns`, in words. */
export function cells<Abilities extends object>(columns: Readonly<Record<string, string>>, abilities: Abilities): readonly string[] {
  return Object.keys(columns).map((name) => word(name, (abilities as Readonly<Record<string, unknown>>)[name]));
}

function word(name: string, value: unknown): string {
  if (value === null) return name === "lastUsedLagMs" ? "not told" : "–";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (name === "supply") return SUPPLIES[value as Supply];
  if (name === "lastUsedLagMs") return value === 0 ? "told at once" : `told within ${span(Number(value))}`;
  return name.endsWith("Ms") ? (value === 0 ? "at once" : span(Number(value))) : String(value);
}

function span(ms: number): string {
  return ms < 60_000 ? `${ms / 1000} s` : `${ms / 60_000} min`;
}
