import { movingSteps, STORE } from "./credential.ts";
import { type Discretion, FORM, openDiscretion } from "./discretion.ts";
import { type Draft, draftCredentials } from "./drafts.ts";
import { GATEWAY, proposeGateway } from "./gateway.ts";
import type { Entry, Proposal, Setting } from "./proposal.ts";
import type { Reading } from "./read.ts";
import { notIncluded, unlisted } from "./remarks.ts";
import { proposeStore } from "./stores.ts";
import type { Surroundings } from "./surroundings.ts";

/** Proposes how rotated takes over the keys of a gateway. No secret of the configuration is in what it answers. */
export function propose(reading: Reading, surroundings: Surroundings): Proposal {
  const { config } = reading;
  const discretion = openDiscretion(config);
  const { accounts, drafts, left } = draftCredentials(config, surroundings, discretion);
  const stores = Object.values(STORE).filter((name) => drafts.some(({ keeping }) => keeping.stores.includes(name)));
  const readsFiles = drafts.some(({ place }) => place.is === "file");
  const movers = drafts.filter(({ keeping }) => keeping.mustMove).map(({ name }) => name);
  return {
    head: head(reading, discretion),
    providers: accounts,
    stores: stores.map((name) => proposeStore(name, config, discretion, readsFiles)),
    consumers: drafts.length === 0 ? [] : [proposeGateway(config, surroundings.home, discretion)],
    credentials: drafts.map(toEntry),
    left: [...notIncluded(reading, discretion), ...left, ...unlisted(config, discretion)],
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
