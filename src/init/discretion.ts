import { isMapping } from "./mapping.ts";

/** How keys of vendors, of clouds and of code hosts begin. */
const BEGINS_LIKE_A_KEY =
  /(^|[^A-Za-z0-9])(sk[-_]|AIza|gsk_|xai-|hf_|nvapi-|pplx-|r8_|csk-|gh[opsu]_|github_pat_|glpat-|xox[abeprs]-|A[KS]IA|ABSK|eyJ|hv[bs]\.)/;
/** Nobody names a thing so: letters and digits mixed without an end to the word, or capitals among them in a long one. */
const IS_LIKE_A_KEY = [
  /(?=[A-Za-z0-9+=]*\d)(?=[A-Za-z0-9+=]*[A-Za-z])[A-Za-z0-9+=]{20}/,
  /(?=[\w+=-]*\d)(?=[\w+=-]*[a-z])(?=[\w+=-]*[A-Z])[\w+=-]{20}/,
];

const HOLDS_A_SECRET = /(key|token|secret|password|passphrase|authtag|cert|auth|value)s?$/i;
const HOLDS_SECRETS = new Set(["headers", "env", "vars"]);
/** A shorter one would hide names that only happen to be equal, such as `lm-studio`. */
const SHORTEST_SECRET = 12;

/** What may be repeated of a configuration, so that no secret is, wherever somebody put one. */
export interface Discretion {
  /** The text, when it has this form and neither is nor holds anything that may be a secret. */
  tell(text: unknown, form: RegExp): string | undefined;
}

/** The forms of what is told. */
export const FORM = {
  name: /^[A-Za-z0-9][A-Za-z0-9._@-]{0,47}$/,
  alias: /^[a-z][a-z0-9_-]{0,63}$/,
  variable: /^[A-Za-z_][A-Za-z0-9_]{0,127}$/,
  path: /^\/[^\p{Cc}$]{1,1023}$/u,
  include: /^[^\p{Cc}$]{1,200}$/u,
  pointer: /^(\/([^~/\s]|~[01])+)+$/,
  /** A path of Vault, without a slash at its ends. */
  vault: /^(?!.*(^|\/)\.{1,2}(\/|$))[\w.:-]+(\/[\w.:-]+)*$/,
  word: /^[A-Za-z0-9][A-Za-z0-9._:/#-]{0,255}$/,
  model: /^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,99}$/,
  address: /^[a-z]+:\/\/[A-Za-z0-9.:[\]-]+(\/[A-Za-z0-9._~/-]*)?$/,
} as const satisfies Record<string, RegExp>;

/** Reads all of a configuration once, for the secrets in plain text that it holds. */
export function openDiscretion(config: unknown): Discretion {
  const secrets = [...new Set(plainSecrets(config, false))];
  return {
    tell(text, form) {
      if (typeof text !== "string" || !form.test(text)) return undefined;
      if ([BEGINS_LIKE_A_KEY, ...IS_LIKE_A_KEY].some((like) => like.test(text))) return undefined;
      return secrets.some((secret) => text.includes(secret)) ? undefined : text;
    },
  };
}

function plainSecrets(value: unknown, secret: boolean): readonly string[] {
  if (typeof value === "string") return secret && value.length >= SHORTEST_SECRET ? [value] : [];
  if (Array.isArray(value)) return value.flatMap((item) => plainSecrets(item, secret));
  if (!isMapping(value)) return [];
  // A reference says where a secret is, and holds none.
  const inside = Object.hasOwn(value, "source") && Object.hasOwn(value, "id") ? false : secret;
  return Object.entries(value).flatMap(([name, item]) =>
    plainSecrets(item, inside || HOLDS_SECRETS.has(name) || (typeof item === "string" && HOLDS_A_SECRET.test(name))),
  );
}
