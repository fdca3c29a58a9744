import type { Plugs } from "../config/schema.ts";

/** Every plug. They bring their schemas along, so a command loads them only when it is called. */
export async function loadPlugs(): Promise<Plugs> {
  const { PROVIDERS } = await import("../../providers/index.ts");
  const { STORES } = await import("../../adapters/stores/index.ts");
  const { CONSUMERS } = await import("../../adapters/consumers/index.ts");
  return { providers: PROVIDERS, stores: STORES, consumers: CONSUMERS };
}
