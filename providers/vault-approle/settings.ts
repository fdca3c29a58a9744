import { z } from "zod";
import { path, server } from "../../adapters/vault/settings.ts";
import { duration } from "../../src/contract/settings.ts";

/** What an operator sets for the secret-ids of one role. */
export const settings = z.strictObject({
  ...server,
  mount: path().default("approle").describe("where the AppRole method is mounted"),
  role: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, "the name of a role")
    .describe("the name of the role"),
  roleId: z.string().min(1).describe("the role's id; a secret-id is tried with it"),
  expiresIn: duration()
    .refine((ms) => ms >= 1000, "at least 1s")
    .optional()
    .describe("how long a secret-id lives; without it, as long as the one before"),
});

export type Settings = z.output<typeof settings>;
