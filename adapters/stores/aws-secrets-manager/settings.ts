import { z } from "zod";
import { awsSettings } from "../../../src/aws/client.ts";
import { jsonPointer } from "../../../src/contract/json-pointer.ts";

export const settings = z.strictObject({
  region: z.string().min(1).describe("the region of the secrets, such as eu-central-1"),
  ...awsSettings,
});

export const place = z.strictObject({
  path: z.string().min(1).max(2048).describe("the name or the ARN of the secret; it must be there"),
  field: jsonPointer().optional().describe("where the value stands in a JSON secret; without it the value is the whole string"),
});

export type Settings = z.output<typeof settings>;
export type Place = z.output<typeof place>;

/** An ARN ends with the name and six characters that AWS adds. */
export const nameOf = (path: string) => path.replace(/^arn:[^:]*:secretsmanager:[^:]*:[^:]*:secret:(.+)-[A-Za-z0-9]{6}$/, "$1");
