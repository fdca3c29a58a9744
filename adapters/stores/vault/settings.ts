import { z } from "zod";
import { httpUrl, secretRef } from "../../../src/contract/settings.ts";

/** A path below a mount: no part of it may be read as something else by the server or by a proxy. */
function path() {
  return z
    .string()
    .regex(/^(?!.*(^|\/)\.{1,2}(\/|$))[^/\s?#%*+]+(\/[^/\s?#%*+]+)*$/, 'a path without a slash at its ends, such as "apps/openclaw"');
}

const auth = z.union(
  [
    z.strictObject({ token: secretRef().describe("a token; it is renewed, and read anew when it is refused") }),
    z.strictObject({
      tokenFile: z
        .string()
        .startsWith("/", "an absolute path")
        .describe("a file that an agent keeps a token in; read anew when the token is refused"),
    }),
    z.strictObject({
      appRole: z
        .strictObject({
          roleId: z.string().min(1).describe("the role's id"),
          secretId: secretRef().describe("a secret-id of the role"),
          mount: path().default("approle").describe("where the AppRole method is mounted"),
        })
        .describe("log in as a role; again whenever its token is refused"),
    }),
  ],
  { error: "one of { token: … }, { tokenFile: /PATH } and { appRole: { roleId: …, secretId: … } }" },
);

/** Settings of one server, as one identity. */
export const settings = z.strictObject({
  url: httpUrl().describe("the address of the server, without /v1"),
  namespace: path().optional().describe("the namespace that everything of this store is in, its login too"),
  mount: path().default("secret").describe("where the KV engine, version 2, is mounted"),
  keep: path().default("rotated").describe("the path below which other versions are kept; no consumer's policy may cover it"),
  auth: auth.describe("how rotated logs in"),
});

export const place = z.strictObject({
  path: path().describe("the path of the document below the mount"),
  field: z.string().min(1).max(256).describe("the name of the field, a string at the top of the document; the other fields are left alone"),
});

export type Settings = z.output<typeof settings>;
export type Place = z.output<typeof place>;
