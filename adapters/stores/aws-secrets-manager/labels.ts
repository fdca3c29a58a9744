import { createHash } from "node:crypto";

/** Labels over all versions of one secret: https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html. Not tried on AWS. */
export const MAX_LABELS = 20;

const OURS = "rotated/";
const MAX_LABEL_CHARACTERS = 256;

/** The staging label that holds one kept version of one credential. */
export function keepLabel(credential: string, version: string): string {
  const label = `${OURS}${credential}/${version}`;
  return label.length <= MAX_LABEL_CHARACTERS ? label : `${OURS}${digest(label)}`;
}

/** The label of a copy that is under way. No version has a name with a dot. */
export const copyLabel = (credential: string): string => keepLabel(credential, ".copy");

export const isOurs = (label: string): boolean => label.startsWith(OURS);

/** 64 characters that belong to one version and one text: AWS takes a token for another text as an error. */
export const requestToken = (label: string, text: string): string => digest(JSON.stringify([label, text]));

const digest = (text: string): string => createHash("sha256").update(text).digest("hex");
