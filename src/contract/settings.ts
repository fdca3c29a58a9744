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

/**
 * The setting `verify` of a vendor that lists the models without cost: the call that shows that a key works. `models` lists
 * them, each of `calls` asks one.
 */
export function verifyCall<const Call extends string>(calls: readonly Call[], what: string, model = z.string().min(1)) {
  const asking = calls.join(" and ");
  const all: z.ZodType<"models" | Call, "models" | Call> = z.enum(["models", ...calls]);
  return z
    .strictObject({
      by: all.describe(what),
      model: model.optional().describe(`the model to ask; for ${asking} only`),
    })
    .superRefine(({ by, model }, context) => {
      if ((by === "models") === (model === undefined)) return;
      context.addIssue({ code: "custom", path: ["model"], message: by === "models" ? `only for ${asking}` : "needed to ask a model" });
    })
    .default({ by: "models" })
    .describe("the call that shows that a key works");
}

/** A rule over several settings of one object. */
export interface Rule {
  /** Gets what is there, also when single settings are wrong: it must expect anything. */
  broken(settings: Readonly<Record<string, unknown>>): boolean;
  /** The setting that the problem is told at; without it, the object. */
  readonly at?: string;
  readonly message: string;
  readonly hint: string;
}

/** The object, held to rules that are told together with what is wrong in single settings. */
export function withRules<T extends z.ZodType>(schema: T, rules: readonly Rule[]): T {
  return rules.reduce(
    (ruled, { broken, at, message, hint }) =>
      ruled.refine((settings) => !broken(settings as Readonly<Record<string, unknown>>), {
        error: message,
        path: at === undefined ? [] : [at],
        params: { hint },
        when: ({ value }) => typeof value === "object" && value !== null,
      }),
    schema,
  );
}
