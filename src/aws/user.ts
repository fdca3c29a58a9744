import { z } from "zod";
import { awsSettings } from "./client.ts";

/** How many keys of one kind IAM takes of one user. */
export const PLACES = 2;

/** The settings of a provider whose keys belong to one IAM user. */
export const userSettings = {
  user: z
    .string()
    .regex(/^[\w+=,.@-]{1,64}$/, "the name of an IAM user, not its ARN")
    .describe("the IAM user whose keys these are; AWS takes two of each kind"),
  exclusive: z
    .boolean()
    .default(false)
    .describe(
      "true: nobody but rotated, by this entry, makes such keys of this user. AWS keeps no name of a key: after a create call without an answer, the one that appeared is then known as ours; otherwise a person is asked",
    ),
  ...awsSettings,
} as const;
