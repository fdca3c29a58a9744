import type { Config } from "../config/config.ts";
import type { Plugs } from "../config/schema.ts";
import type { ProviderDefinition } from "../contract/provider.ts";
import type { Supply } from "../model.ts";
import { entryOf, idleWorld } from "./examples.ts";

/** What a type of provider can, seen in its definition and in the client of an example. */
export interface ProviderAbilities {
  readonly type: string;
  readonly title: string;
  readonly apiDocs: string;
  /** How its keys come to be. */
  readonly supply: Supply;
  /** How long a key just created may be missing from the vendor's list. */
  readonly listLagMs: number;
  readonly switchesOff: boolean;
  /** The secret of a key that was made and lost can be had again. */
  readonly recovers: boolean;
  /** How late the vendor tells the last use of a key at most; `null` where it does not tell. */
  readonly lastUsedLagMs: number | null;
  readonly expires: boolean;
  /** How many keys there can be; `null` where there is no such limit that a rotation would meet. */
  readonly places: number | null;
  /** How long a part of the vendor may still accept a revoked key. */
  readonly revokeLagMs: number;
  /** What a revoke leaves behind or lets somebody undo; `null` for nothing. */
  readonly afterRevoke: string | null;
}

export function providerAbilities(plugs: Plugs, examples: readonly Config[]): readonly ProviderAbilities[] {
  return Object.entries(plugs.providers).map(([type, definition]) => abilitiesOf(type, definition, examples));
}

function abilitiesOf(type: string, definition: ProviderDefinition, examples: readonly Config[]): ProviderAbilities {
  const { settings } = entryOf(examples, (config) => config.providers, type);
  const { through } = definition;
  const consumer = through && { name: "example", settings: entryOf(examples, (config) => config.consumers, through.type).settings };
  const provider = definition.connect(settings, idleWorld, consumer);
  const { title, apiDocs, supply, listLagMs, lastUsed, places, revokeLagMs } = definition;
  return {
    type,
    title,
    apiDocs,
    supply,
    listLagMs,
    switchesOff: provider.setEnabled !== undefined,
    recovers: provider.recover !== undefined,
    lastUsedLagMs: lastUsed?.lagMs ?? null,
    expires: Object.keys(definition.settings.shape).some((name) => /expires|lifetime/i.test(name)),
    places: places ?? null,
    revokeLagMs: revokeLagMs ?? 0,
    afterRevoke: definition.describe(settings).afterRevoke ?? null,
  };
}
