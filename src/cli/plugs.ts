import type { Plugs } from "../config/schema.ts";

/** Every plug. They bring their schemas along, so a command loads them only when it is called. */
export async function loadPlugs(): Promise<Plugs> {
  const { importAll } = await import("../config/registry.ts");
  const { REGISTRY } = await import("../registry.ts");
  return importAll(REGISTRY);
}
