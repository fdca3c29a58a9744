import { NAME } from "../config/pieces.ts";
import { proposeAccount } from "./account.ts";
import { type Keeping, keepingOf } from "./credential.ts";
import { type Discretion, FORM } from "./discretion.ts";
import { type OtherSetting, otherSettings } from "./elsewhere.ts";
import { followKey, type KeyPlace } from "./keys.ts";
import { at, entriesAt, type Mapping } from "./mapping.ts";
import type { Entry } from "./proposal.ts";
import { shadowed } from "./remarks.ts";
import type { Surroundings } from "./surroundings.ts";
import { readModelProvider, vendorOf } from "./vendors.ts";

/** A credential while it is put together. */
export interface Draft {
  readonly name: string;
  /** Equal for settings that get one and the same key; see `FollowedKey`. */
  readonly cell: string | undefined;
  /** The entry of `providers` that makes its keys. */
  readonly account: string;
  readonly place: KeyPlace;
  readonly keeping: Keeping;
  readonly uses: readonly { readonly provider: string; readonly also: readonly string[] }[];
  readonly remarks: readonly string[];
}

interface Drafts {
  readonly accounts: readonly Entry[];
  readonly drafts: readonly Draft[];
  /** What did not become a part of them: one clause each. */
  readonly left: readonly string[];
}

/** One credential for each key of `models.providers`, with all settings that have the same key. */
export function draftCredentials(config: Mapping, surroundings: Surroundings, discretion: Discretion): Drafts {
  const accounts: Entry[] = [];
  const drafts: Draft[] = [];
  const left: string[] = [];

  function draftProvider(provider: string, entry: unknown): void {
    const path = `models.providers.${provider}`;
    const found = readModelProvider(provider, entry, discretion);
    const vendor = vendorOf(found);
    const { providers } = surroundings.plugs;
    const definition = vendor && Object.hasOwn(providers, vendor.type) ? providers[vendor.type] : undefined;
    if (vendor === undefined || definition === undefined) {
      const where = found.url === undefined ? path : `${path} (${found.url.host})`;
      left.push(`${where}: ${vendor === undefined ? NO_VENDOR : `there is no provider for ${vendor.type} in this version`}`);
      return;
    }
    const { place, cell } = followKey(at(entry, "apiKey"), config, surroundings.home, discretion);
    const use = { provider, also: [] };
    const known = cell === undefined ? -1 : drafts.findIndex((draft) => draft.cell === cell);
    const same = drafts[known];
    if (same !== undefined) {
      drafts[known] = { ...same, uses: [...same.uses, use] };
      return;
    }
    const names = drafts.map((draft) => draft.name);
    const name = place.is === "resolve" ? place.credential : freeName(slug(provider), names);
    const keeping =
      NAME.test(name) && !names.includes(name)
        ? keepingOf(place, name, `${path}.apiKey`, surroundings)
        : { why: "cannot be followed: its id is no name of a credential, or is that of another one" };
    if ("why" in keeping) {
      left.push(`${path}.apiKey ${keeping.why}`);
      return;
    }
    const account = accountLike(proposeAccount(vendor, found, definition), accounts);
    if (!accounts.includes(account)) accounts.push(account);
    drafts.push({ name, cell, account: account.name, place, keeping, uses: [use], remarks: shadowed(provider, entry, place, config) });
  }

  function join({ path, value }: OtherSetting): void {
    const { cell, place } = followKey(value, config, surroundings.home, discretion);
    const known = cell === undefined ? -1 : drafts.findIndex((draft) => draft.cell === cell);
    const same = drafts[known];
    const [first, ...rest] = same?.uses ?? [];
    if (path !== undefined && same !== undefined && first !== undefined) {
      drafts[known] = { ...same, uses: [{ ...first, also: [...first.also, path] }, ...rest] };
      return;
    }
    const named = path ?? "a setting whose path cannot be repeated here, since it may hold a key,";
    const has = place.is === "plain" ? "has a key in plain text that" : "refers to a key that";
    left.push(same === undefined ? `${named} ${has} no entry of models.providers has` : `${named} has the same key as ${same.name}`);
  }

  for (const [index, [name, entry]] of entriesAt(config, "models", "providers").entries()) {
    const provider = discretion.tell(name, FORM.name);
    if (provider !== undefined) draftProvider(provider, entry);
    else left.push(`entry ${index + 1} of models.providers has a name that cannot be repeated here, since it may be a key`);
  }
  for (const other of otherSettings(config, discretion)) join(other);
  return { accounts, drafts, left };
}

const NO_VENDOR =
  "there is no provider for it; if it is a LiteLLM proxy or an any-llm gateway of your own, it has one: type litellm or any-llm";

/** The entry for this account: the one that is there with the same settings, or a new one under a name of its own. */
function accountLike(proposed: Entry, accounts: readonly Entry[]): Entry {
  const same = accounts.find(({ settings }) => JSON.stringify(settings) === JSON.stringify(proposed.settings));
  const names = accounts.map(({ name }) => name);
  return same ?? { ...proposed, name: freeName(proposed.name, names) };
}

function slug(provider: string): string {
  return `openclaw-${provider.toLowerCase().replace(/[^a-z0-9]+/g, "-")}`.slice(0, 44).replace(/-+$/, "");
}

function freeName(wanted: string, taken: readonly string[]): string {
  let name = wanted;
  for (let number = 2; taken.includes(name); number++) name = `${wanted}-${number}`;
  return name;
}
