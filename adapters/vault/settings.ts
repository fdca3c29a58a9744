import { z } from "zod";
import { httpUrl, secretRef } from "../../src/contract/settings.ts";

/** A path below a mount: no part of it may be read as something else by the server or by a proxy. */
export function path() {
  return z
    .string()
    .regex(/^(?!.*(^|\/)\.{1,2}(\/|$))[^/\s?#%*+]+(\/[^/\s?#%*+]+)*$/, 'a path without a slash at its ends, such as "apps/openclaw"');
}

const auth = z.union(
  [
    z.strictObject({
      token: secretRef().describe("a token; it is renewed in time, also while nothing rotates, and read anew when it is refused"),
    }),
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

/** The settings of whatever calls one server as one identity. */
export const server = {
  url: httpUrl().describe("the address of the server, without /v1"),
  namespace: path().optional().describe("the namespace that everything here is in, the login too"),
  auth: auth.describe("how rotated logs in"),
};

export type Server = z.output<z.ZodObject<typeof server>>;
