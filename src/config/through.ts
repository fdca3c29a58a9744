import type { Document, Path } from "./document.ts";
import type { Problem } from "./error.ts";
import type { Parts } from "./parsed.ts";
import type { Plugs } from "./schema.ts";
import { listNames, type Suggest } from "./suggest.ts";
import { placesOf, tell } from "./values.ts";

/** Some plugs go through a consumer of the file: there must be one of that name, and of the type that they speak to. */
export function wrongConsumers(parts: Parts, document: Document, plugs: Plugs, suggest: Suggest): readonly Problem[] {
  const types = consumerTypes(document);
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
export function unusedConsumers({ providers, stores, credentials }: Parts, document: Document, plugs: Plugs): readonly Problem[] {
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
