import type { Config } from "../config/config.ts";

/** A plug of the configuration whose settings name a credential of the same configuration as `{ store: NAME }`. */
export interface User {
  readonly kind: "provider" | "store" | "consumer";
  readonly name: string;
}

/** The names in all `{ store: NAME }` of some settings, at any depth. */
function storeReferences(settings: unknown): readonly string[] {
  if (typeof settings !== "object" || settings === null) return [];
  const entries = Object.entries(settings);
  const [only] = entries;
  if (entries.length === 1 && only?.[0] === "store" && typeof only[1] === "string") return [only[1]];
  return entries.flatMap(([, value]) => storeReferences(value));
}

/** The plugs that call somebody with a credential's value, by the credential. */
export function usersByCredential({ providers, stores, consumers, credentials }: Config): ReadonlyMap<string, readonly User[]> {
  const found = new Map<string, Map<string, User>>();
  const note = (kind: User["kind"], name: string, settings: unknown) => {
    for (const credential of storeReferences(settings)) {
      const user = { kind, name };
      found.set(credential, (found.get(credential) ?? new Map()).set(userText(user), user));
    }
  };
  for (const [name, { settings }] of Object.entries(providers)) note("provider", name, settings);
  for (const [name, { settings }] of Object.entries(stores)) note("store", name, settings);
  for (const [name, { settings }] of Object.entries(consumers)) note("consumer", name, settings);
  for (const { store, mirrors, consumers: uses } of Object.values(credentials)) {
    for (const { use, place } of [store, ...mirrors]) note("store", use, place);
    for (const { use, settings } of uses) note("consumer", use, settings);
  }
  return new Map([...found].map(([credential, users]) => [credential, [...users.values()]]));
}

/** `provider openai`: for people, and as a name of its own. */
export function userText({ kind, name }: User): string {
  return `${kind} ${name}`;
}
