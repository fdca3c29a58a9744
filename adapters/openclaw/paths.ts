import { z } from "zod";

/** Where the gateway's own token stands in openclaw.json. */
export const OWN_TOKEN = "gateway.auth.token";

/** The names in a path. */
export function namesIn(path: string): readonly string[] {
  return [...path.matchAll(/\["([^"]*)"\]|[^.[\]]+/g)].map(([name, quoted]) => quoted ?? name);
}

/** A path as OpenClaw writes it: a name that is no plain word, such as `302ai` or `z.ai`, stands in brackets (OpenClaw 2026.9.6). */
export function pathOf(names: readonly string[]): string {
  const steps = names.map((name) => (/^[A-Za-z_$][A-Za-z0-9_$:-]*$/.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`));
  return steps.join("").replace(/^\./, "");
}

/** The path of a setting in openclaw.json. */
export function settingPath() {
  return z
    .string()
    .regex(/^[^.\s[\]]+(\.[^.\s[\]]+|\["[^"\s]+"\])+$/, "the path of a setting in openclaw.json, such as models.providers.openai.apiKey")
    .transform((path) => pathOf(namesIn(path)));
}

/** Where the reference stands that a credential uses of a gateway: at a path of its own, or at a provider's key. */
export function referencePath(use: { readonly path?: string | undefined; readonly provider?: string | undefined }): string {
  return use.path ?? pathOf(["models", "providers", `${use.provider}`, "apiKey"]);
}
