type Settings = Readonly<Record<string, unknown>>;

/** Settings with another reference in the place of each `{ credential: NAME }`: where no service manager gives any. */
export function withReferences(settings: object, reference: (name: string) => object): Settings {
  const replaced = (value: unknown): unknown => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
    if ("credential" in value && typeof value.credential === "string") return reference(value.credential);
    return withReferences(value, reference);
  };
  return Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, replaced(value)]));
}
