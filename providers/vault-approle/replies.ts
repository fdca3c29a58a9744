import { z } from "zod";
import type { VendorKey } from "../../src/contract/provider.ts";
import { Secret } from "../../src/contract/secret.ts";

const secret = z
  .string()
  .min(1)
  .transform((text) => new Secret(text));
const time = z.string().transform((text, context) => {
  const at = new Date(text);
  if (Number.isNaN(at.getTime())) context.addIssue({ code: "custom", message: "no time" });
  return at;
});

/** The vendor may add fields at any time: what is not named here is let through. */
export const listed = z.looseObject({ data: z.looseObject({ keys: z.array(z.string()) }) });
export const role = z.looseObject({
  data: z.looseObject({
    bind_secret_id: z.boolean(),
    secret_id_num_uses: z.number(),
    token_type: z.string().optional(),
  }),
});
export const roleId = z.looseObject({ data: z.looseObject({ role_id: z.string() }) });
export const secretIdRow = z.looseObject({
  data: z.looseObject({
    secret_id_accessor: z.string(),
    creation_time: time,
    expiration_time: time,
    metadata: z.record(z.string(), z.string()).nullish(),
    secret_id_num_uses: z.number(),
    secret_id_ttl: z.number(),
    cidr_list: z.array(z.string()).nullish(),
    token_bound_cidrs: z.array(z.string()).nullish(),
  }),
});
export const created = z.looseObject({
  data: z.looseObject({ secret_id: secret, secret_id_accessor: z.string(), secret_id_ttl: z.number() }),
});
export const loggedIn = z.looseObject({ auth: z.looseObject({ client_token: secret }) });
export const tokenRow = z.looseObject({ data: z.looseObject({ meta: z.record(z.string(), z.string()).nullish() }) });

export type SecretIdRow = z.output<typeof secretIdRow>["data"];

/** A secret-id, known by its accessor, as a key. `now` in Unix milliseconds. */
export function toKey(row: SecretIdRow, now: number): VendorKey {
  const expiresAt = row.expiration_time;
  // One without an end shows the year 1.
  const ends = expiresAt.getTime() > 0;
  return {
    id: row.secret_id_accessor,
    label: row.metadata?.["label"] ?? "",
    createdAt: row.creation_time,
    enabled: !ends || expiresAt.getTime() > now,
    ...(ends && { expiresAt }),
  };
}
