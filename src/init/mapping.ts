/** An object of JSON5, whatever is in it. */
export type Mapping = Readonly<Record<string, unknown>>;

export function isMapping(value: unknown): value is Mapping {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What stands at a path; `undefined` where the way there ends. */
export function at(value: unknown, ...path: readonly string[]): unknown {
  return path.reduce<unknown>((inside, name) => (isMapping(inside) && Object.hasOwn(inside, name) ? inside[name] : undefined), value);
}

/** The entries of a mapping; none of anything else. */
export function entriesAt(value: unknown, ...path: readonly string[]): readonly (readonly [name: string, value: unknown])[] {
  const found = at(value, ...path);
  return isMapping(found) ? Object.entries(found) : [];
}

/** A variable that a configuration of OpenClaw sets, in either of the places that it has for them. */
export function variableIn(config: Mapping, name: string): unknown {
  return at(config, "env", "vars", name) ?? at(config, "env", name);
}

/** As OpenClaw merges what it includes: mappings grow together, lists are joined, and of anything else the later one stays. */
export function merge(earlier: unknown, later: unknown): unknown {
  if (Array.isArray(earlier) && Array.isArray(later)) return [...earlier, ...later];
  if (!isMapping(earlier) || !isMapping(later)) return later;
  const merged: Record<string, unknown> = { ...earlier };
  for (const [name, value] of Object.entries(later)) {
    if (name === "__proto__") continue;
    merged[name] = Object.hasOwn(earlier, name) ? merge(earlier[name], value) : value;
  }
  return merged;
}
