import { z } from "zod";
import { userSettings } from "../../src/aws/user.ts";

/** What an operator sets for IAM access keys. */
export const settings = z.strictObject({
  region: z.string().min(1).default("us-east-1").describe("the region whose STS is asked whether a key works; IAM itself has none"),
  ...userSettings,
});

export type Settings = z.output<typeof settings>;
