import ms from "ms";
import { z } from "zod";

// No code is made at run time: it would be made anew at every start, for settings that are read once.
z.config({ jitless: true });

/** Where a secret is found; never the secret itself. */
export type SecretRef = { readonly credential: string } | { readonly file: string } | { readonly store: string } | { readonly env: string };

const name = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, "letters, digits, dot, dash and underscore only");

/** A reference to a secret: a systemd credential, a file, a credential that rotated rotates itself, or (with a warning) an environment variable. */
export function secretRef() {
  return z.union(
    [
      z.strictObject({ credential: name.describe("a file of the credentials directory") }),
      z.strictObject({ file: z.string().startsWith("/", "an absolute path").describe("a file that holds nothing but the secret") }),
      z.strictObject({ store: name.describe("a credential of this configuration: the value is read from its primary store") }),
      z.strictObject({ env: z.string().min(1).describe("a variable of the daemon's environment; its whole process can read it") }),
    ],
    {
      error:
        "a secret is given as a reference: { credential: NAME }, { file: /PATH }, { store: NAME } or { env: NAME }, never as the value",
    },
  );
}

const DURATION = /^\d+(\.\d+)?\s*(ms|s|m|h|d|w|sec|secs|min|mins|hours?|days?|weeks?)$/;

/** A length of time, written `90s`, `15m`, `24h` or `30d`; milliseconds inside the program. */
export function duration() {
  return z
    .string({ error: "a length of time with its unit, such as 90s, 15m, 24h or 30d" })
    .regex(DURATION, "a length of time with its unit, such as 90s, 15m, 24h or 30d")
    .transform((text) => ms(text as ms.StringValue));
}

/** An http(s) address without credentials in it. */
export function httpUrl() {
  return z
    .url({ protocol: /^https?$/, error: "an http or https address" })
    .refine((text) => new URL(text).username === "" && new URL(text).password === "", "no user name or password in an address")
    .transform((text) => text.replace(/\/+$/, ""));
}
