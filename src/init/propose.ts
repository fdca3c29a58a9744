import { NAME } from "../config/pieces.ts";
import type { Plugs } from "../config/schema.ts";
import { proposeAccount } from "./account.ts";
import { type Keeping, keepingOf, movingSteps, STORE } from "./credential.ts";
import { type Discretion, FORM, openDiscretion } from "./discretion.ts";
import { otherSettings } from "./elsewhere.ts";
import { GATEWAY, proposeGateway } from "./gateway.ts";
import { followKey } from "./keys.ts";
import { at, entriesAt, type Mapping } from "./mapping.ts";
import type { Entry, Proposal, Setting } from "./proposal.ts";
import type { Reading } from "./read.ts";
import { notIncluded, shadowed, unlisted } from "./remarks.ts";
import { proposeStore } from "./stores.ts";
import { readModelProvider, vendorOf } from "./vendors.ts";

/** What a proposal hangs on besides the configuration. */
export interface Surroundings {
  readonly plugs: Plugs;
  /** What `~` stands for. */
  readonly home: string;
  /** The account of the gateway: its name, or its number where it has none. */
  readonly account: string | number;
}

/** A credential while it is put together. */
interface Draft {
  readonly name: string;
  readonly cell: string | undefined;
  /** The entry of `providers` that makes its keys. */
  readonly account: string;
  readonly keeping: Keeping;
  readonly isFile: boolean;
  readonly uses: readonly { readonly provider: string; readonly also: readonly string[] }[];
  readonly remarks: readonly string[];
}

/** Proposes how rotated takes over the keys of a gateway. No secret of the configuration is in what it answers. */
export function propose(reading: Reading, surroundings: Surroundings): Proposal {
  const { config } = reading;
  const discretion = openDiscretion(config);
  const found = proposeCredentials(config, surroundings, discretion);
  const drafts = withOthers(found.drafts, config, surroundings, discretion);
  const stores = Object.values(STORE).filter((name) => drafts.drafts.some(({ keeping }) => keeping.stores.includes(name)));
  const readsFiles = drafts.drafts.some(({ isFile }) => isFile);
  const movers = drafts.drafts.filter(({ keeping }) => keeping.mustMove).map(({ name }) => name);
  return {
    head: head(reading, discretion),
    providers: found.accounts,
    stores: stores.map((name) => proposeStore(name, config, discretion, readsFiles)),
    consumers: drafts.drafts.length === 0 ? [] : [proposeGateway(config, surroundings.home, discretion)],
    credentials: drafts.drafts.map(toEntry),
    left: [...notIncluded(reading, discretion), ...found.left, ...unlisted(config, discretion), ...drafts.left],
    moving: movers.length === 0 ? [] : movingSteps(movers),
  };
}

function head({ path, included }: Reading, { tell }: Discretion): readonly string[] {
  const more = included.length === 0 ? "" : ` and ${included.length === 1 ? "the file" : `the ${included.length} files`} that it includes`;
  return [
    `Proposed by \`rotatectl init\` from ${tell(path, FORM.path) ?? "openclaw.json"}${more}. It holds no secret.`,
    "A setting without a value is yours to fill in: `rotatectl check FILE` names each of them, and is silent when none is left.",
  ];
}

function proposeCredentials(config: Mapping, { plugs, home, account }: Surroundings, discretion: Discretion) {
  const accounts: Entry[] = [];
  const drafts: Draft[] = [];
  const left: string[] = [];
  for (const [index, [name, entry]] of entriesAt(config, "models", "providers").entries()) {
    const provider = discretion.tell(name, FORM.name);
    if (provider === undefined) {
      left.push(`entry ${index + 1} of models.providers has a name that cannot be repeated here, since it may be a key`);
      continue;
    }
    const path = `models.providers.${provider}`;
    const found = readModelProvider(provider, entry, discretion);
    const vendor = vendorOf(found);
    const where = found.url === undefined ? path : `${path} (${found.url.host})`;
    const definition = vendor && Object.hasOwn(plugs.providers, vendor.type) ? plugs.providers[vendor.type] : undefined;
    if (vendor === undefined || definition === undefined) {
      left.push(`${where}: ${vendor === undefined ? UNKNOWN : `there is no provider for ${vendor.type} in this version`}`);
      continue;
    }
    const key = followKey(at(entry, "apiKey"), config, home, discretion);
    const same = key.cell === undefined ? undefined : drafts.findIndex((draft) => draft.cell === key.cell);
    const known = same === undefined ? undefined : drafts[same];
    if (same !== undefined && known !== undefined) {
      drafts[same] = { ...known, uses: [...known.uses, { provider, also: [] }] };
      continue;
    }
    const credential = key.place.is === "resolve" ? key.place.credential : nameFor(provider, drafts);
    const keeping = NAME.test(credential)
      ? keepingOf(key.place, credential, `${path}.apiKey`, account, plugs.stores)
      : { why: "cannot be followed: its id is no name of a credential" };
    if ("why" in keeping) {
      left.push(`${path}.apiKey ${keeping.why}`);
      continue;
    }
    const proposed = proposeAccount(vendor, found, definition);
    const entryOfVendor = accountLike(proposed, accounts);
    if (!accounts.includes(entryOfVendor)) accounts.push(entryOfVendor);
    drafts.push({
      name: credential,
      cell: key.cell,
      account: entryOfVendor.name,
      keeping,
      isFile: key.place.is === "file",
      uses: [{ provider, also: [] }],
      remarks: shadowed(provider, entry, key.place, config),
    });
  }
  return { accounts, drafts, left };
}

const UNKNOWN =
  "there is no provider for it; if it is a LiteLLM proxy or an any-llm gateway of your own, it has one: type litellm or any-llm";

/** The entry for this account: the one that is there with the same settings, or a new one under a name of its own. */
function accountLike(proposed: Entry, accounts: readonly Entry[]): Entry {
  const same = accounts.find(({ settings }) => JSON.stringify(settings) === JSON.stringify(proposed.settings));
  if (same !== undefined) return same;
  const ofType = accounts.filter(({ name }) => name === proposed.name || name.startsWith(`${proposed.name}-`)).length;
  return ofType === 0 ? proposed : { ...proposed, name: `${proposed.name}-${ofType + 1}` };
}

function nameFor(provider: string, drafts: readonly Draft[]): string {
  const name = `openclaw-${provider.toLowerCase().replace(/[^a-z0-9]+/g, "-")}`.slice(0, 44).replace(/-+$/, "");
  const taken = drafts.filter((draft) => draft.name === name || draft.name.startsWith(`${name}-`)).length;
  return taken === 0 ? name : `${name}-${taken + 1}`;
}

/** Puts each further setting to the credential whose key it shares, or says that nothing rotates it. */
function withOthers(drafts: readonly Draft[], config: Mapping, { home }: Surroundings, discretion: Discretion) {
  const joined = [...drafts];
  const left: string[] = [];
  for (const { path, value } of otherSettings(config, discretion)) {
    const { cell, place } = followKey(value, config, home, discretion);
    const index = cell === undefined ? -1 : joined.findIndex((draft) => draft.cell === cell);
    const draft = joined[index];
    const [first, ...rest] = draft?.uses ?? [];
    if (path !== undefined && draft !== undefined && first !== undefined) {
      joined[index] = { ...draft, uses: [{ ...first, also: [...first.also, path] }, ...rest] };
      continue;
    }
    const named = path ?? "a setting whose path cannot be repeated here, since it may hold a key,";
    const copy = place.is === "plain" ? "has a key in plain text that" : "refers to a key that";
    left.push(draft === undefined ? `${named} ${copy} no entry of models.providers has` : `${named} has the same key as ${draft.name}`);
  }
  return { drafts: joined, left };
}

function toEntry({ name, account, keeping, uses, remarks }: Draft): Entry {
  const consumers = uses.map(({ provider, also }) => ({ use: GATEWAY, provider, ...(also.length > 0 && { also }) }));
  const settings: readonly Setting[] = [
    { name: "provider", value: account },
    ...keeping.settings,
    { name: "consumers", value: consumers },
    { name: "every", value: "30d" },
    { name: "overlap", value: "1h" },
  ];
  return { name, comment: [...keeping.comment, ...remarks], settings };
}
