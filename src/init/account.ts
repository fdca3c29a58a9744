import type { ProviderDefinition } from "../contract/provider.ts";
import type { Entry, Setting } from "./proposal.ts";
import type { ModelProvider, Vendor } from "./vendors.ts";

type Shape = Readonly<
  Record<string, { readonly description?: string | undefined; safeParse(value: unknown): { readonly success: boolean } }>
>;

/** The directory of the admin credentials: systemd hands its files to the daemon. */
export const CREDENTIALS = "/etc/rotated/credentials";

/**
 * The account at a vendor, as an entry of `providers`: what OpenClaw tells of it, and what the definition demands besides. A secret
 * is the name of a credential that a person puts there; anything else is left empty.
 */
export function proposeAccount(vendor: Vendor, found: ModelProvider, definition: ProviderDefinition): Entry {
  const known = vendor.known?.(found) ?? {};
  const shape = definition.settings.shape as Shape;
  const settings = Object.entries(shape).flatMap(([name, schema]): readonly Setting[] => {
    const comment = schema.description ?? "";
    // Nobody but the operator knows it, and it decides whether rotated may take an unknown key for its own.
    if (name === "exclusive") return [{ name, value: false, comment }];
    if (schema.safeParse(known[name]).success) return known[name] === undefined ? [] : [{ name, value: known[name] }];
    if (schema.safeParse(undefined).success) return [];
    const credential = `${vendor.type}-${name.replace(/Key$/, "").toLowerCase()}`;
    if (!isReference(schema)) return [{ name, comment }];
    return [{ name, value: { credential }, comment: `${comment}; put it into ${CREDENTIALS}/${credential}` }];
  });
  return {
    name: vendor.type,
    comment: [`${definition.title}, whose API is ${definition.apiDocs}`],
    settings: [{ name: "type", value: vendor.type }, ...settings],
  };
}

function isReference(schema: Shape[string]): boolean {
  return schema.safeParse({ credential: "name" }).success && !schema.safeParse("name").success && !schema.safeParse({}).success;
}
