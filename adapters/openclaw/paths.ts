import { z } from "zod";

/** Where the gateway's own token stands in openclaw.json. */
export const OWN_TOKEN = "gateway.auth.token";

/** The path of a setting in openclaw.json. */
export function settingPath() {
  return z.string().regex(/^[^.\s]+(\.[^.\s]+)+$/, "the path of a setting in openclaw.json, such as models.providers.openai.apiKey");
}

/** Where the reference stands that a credential uses of a gateway: at a path of its own, or at a provider's key. */
export function referencePath(use: { readonly path?: string | undefined; readonly provider?: string | undefined }): string {
  return use.path ?? `models.providers.${use.provider}.apiKey`;
}
