import { z } from "zod";
import type { VendorKey } from "../../src/contract/provider.ts";
import type { Secret } from "../../src/contract/secret.ts";

/** AWS may add fields at any time: what is not named here is let through. */
const row = z.looseObject({
  ServiceSpecificCredentialId: z.string().min(1),
  ServiceCredentialAlias: z.string().min(1).optional(),
  CreateDate: z.date(),
  ExpirationDate: z.date().optional(),
  Status: z.string(),
});

/** An empty list is an empty list: where the list itself is missing, it was another answer. */
export const listing = z.looseObject({
  ServiceSpecificCredentials: z.array(row),
  IsTruncated: z.boolean().optional(),
  Marker: z.string().optional(),
});

export const created = z.looseObject({ ServiceSpecificCredential: row.extend({ ServiceCredentialSecret: z.string().min(1) }) });

/** One that has expired is listed as long as nobody deletes it, and takes a place. */
export function toKey(found: z.output<typeof row>): VendorKey {
  const { ServiceSpecificCredentialId: id, ServiceCredentialAlias: hint, CreateDate, ExpirationDate, Status } = found;
  return {
    id,
    label: "",
    createdAt: CreateDate,
    enabled: Status === "Active",
    ...(ExpirationDate && { expiresAt: ExpirationDate }),
    ...(hint !== undefined && { hint }),
  };
}

/** What every long-term key of Bedrock looks like. */
export const KEY_FORM = {
  pattern: /^ABSK[A-Za-z0-9+/]{40,}={0,2}$/,
  hint: "a long-term Bedrock key begins with ABSK; a short-term one cannot be rotated",
} as const;

/** Whether a secret says by itself that it belongs to this key: behind its prefix stand, in base64, the alias, a colon and the rest. */
export function saysItIs(secret: Secret, { hint }: VendorKey): boolean {
  const value = secret.reveal();
  if (hint === undefined || !KEY_FORM.pattern.test(value)) return false;
  return Buffer.from(value.slice("ABSK".length), "base64").toString("latin1").startsWith(`${hint}:`);
}
