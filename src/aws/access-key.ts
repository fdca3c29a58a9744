import { z } from "zod";
import { AdapterError } from "../contract/errors.ts";
import { parseJson } from "../contract/json.ts";
import { Secret } from "../contract/secret.ts";

/** The two halves of an IAM access key, and the token of one that is only lent. */
export interface AccessKey {
  readonly id: string;
  readonly secret: Secret;
  readonly sessionToken?: Secret;
}

/**
 * An access key is one value, and so it is kept as one: the document that AWS's own tools take from a `credential_process`.
 * Whatever hands the value out is such a process.
 */
const document = z.looseObject({
  Version: z.literal(1).optional(),
  AccessKeyId: z.string().regex(/^\w{16,128}$/),
  SecretAccessKey: z.string().min(1),
  SessionToken: z.string().min(1).optional(),
});

/** What such a document looks like, for people who bring one. */
export const ACCESS_KEY_FORM = {
  pattern: /^\s*\{.*"AccessKeyId".*\}\s*$/s,
  hint: 'it is one line of JSON: {"Version":1,"AccessKeyId":"AKIA...","SecretAccessKey":"..."}',
} as const;

/** The one line in which rotated writes an access key. */
export function writeAccessKey(id: string, secret: string): Secret {
  return new Secret(JSON.stringify({ Version: 1, AccessKeyId: id, SecretAccessKey: secret }));
}

/** The access key in a document; `undefined` when it is none. Each half is a secret of its own, so that neither can be printed. */
export function readAccessKey(value: Secret): AccessKey | undefined {
  const parsed = document.safeParse(parseJson(value.reveal())).data;
  if (parsed === undefined) return undefined;
  const { AccessKeyId: id, SecretAccessKey: secret, SessionToken: token } = parsed;
  return { id, secret: new Secret(secret), ...(token !== undefined && { sessionToken: new Secret(token) }) };
}

/** The same of what the setting `accessKey` points to. Throws `misconfigured` when it is none. */
export function mustBeAccessKey(value: Secret, who: string): AccessKey {
  const key = readAccessKey(value);
  if (key !== undefined) return key;
  throw new AdapterError("misconfigured", `${who}: read accessKey: it is not the document of an access key`, {
    cure: ACCESS_KEY_FORM.hint,
  });
}
