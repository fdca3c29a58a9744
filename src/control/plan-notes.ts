import ms from "ms";
import type { CredentialConfig } from "../config/config.ts";
import type { PinnedPlan } from "../model.ts";
import { RELOAD_REVOKES } from "../rotation/in-place.ts";
import type { DaemonParts } from "./daemon-parts.ts";

const FIRST_KEY = "no key of ours is in the ledger: this makes the first one; an existing one is taken over with rotatectl adopt";
const WAY_BACK =
  "if the new key is refused or a consumer cannot use it, the old one is made current again, and the new one deleted in its place";
const WAY_BACK_OF_SLOTS =
  "the key in the idle slot dies first, before anything can be undone; if the new one there is refused or a consumer cannot use it, the old one is made current again, and the slot regenerated";
const IN_PLACE =
  "one value at a time: the reload is the revoke, so there is no overlap, and nothing checks first that everybody who holds the old value has the new one";
const NO_GAP = "for how long neither the old value nor the new one is accepted: none measured yet";
const WAY_BACK_IN_PLACE = "a way back is open only until the new value is live: after that it goes forward only";

/** What a person should know of the rotation that would start now, one clause each. */
export function notesOf(parts: DaemonParts, credential: CredentialConfig, plan: PinnedPlan): readonly string[] {
  const { name } = credential;
  const open = parts.ledger.rotations.open(name);
  const debts = open === undefined ? parts.ledger.keys.live(name).filter(({ stage }) => stage === "retiring") : [];
  return [
    ...(plan.name === "initial" ? [FIRST_KEY] : notesOfWayBack(parts, name, plan)),
    ...notesOfPool(parts, credential, plan),
    ...notesOfVendor(parts, credential),
    ...notesOfPlaces(parts, credential),
    ...(open === undefined ? [] : [`a rotation (${open.plan.name}) is open already: this is about the one after it`]),
    ...debts.map(({ vendorId }) => `${vendorId} is left over from an earlier rotation and is made dead, too`),
  ];
}

/** Whose key a rotation would take that makes none itself. */
function notesOfPool(parts: DaemonParts, { name, provider }: CredentialConfig, plan: PinnedPlan): readonly string[] {
  if (plan.supply !== "intake") return [];
  const pooled = parts.ledger.keys.live(name).filter(({ stage }) => stage === "pooled");
  const [first] = pooled;
  if (first !== undefined) {
    const rest = pooled.length === 1 ? "none is left in the pool then" : `${pooled.length - 1} more wait in the pool`;
    return [`a person brought ${first.vendorId}, which it takes; ${rest}`];
  }
  const waits = `the pool is empty: it waits up to ${ms(parts.config().timing.intake.deadlineMs)} for a person`;
  const { url, steps } = parts.plugs().provider(provider).intake ?? { url: undefined, steps: [] };
  const where = url === undefined ? [] : [`make a key at ${url}`];
  return [[waits, ...where, ...steps, `then: rotatectl intake ${name}`].join("; ")];
}

/** How far a rotation can be taken back, and what it costs where it cannot. */
function notesOfWayBack(parts: DaemonParts, name: string, { supply }: PinnedPlan): readonly string[] {
  if (RELOAD_REVOKES[supply]) return [IN_PLACE, gapNote(parts, name), WAY_BACK_IN_PLACE];
  return [supply === "dual-slot" ? WAY_BACK_OF_SLOTS : WAY_BACK];
}

/** How long the last rotation left everybody without a value that is accepted. */
function gapNote({ ledger }: DaemonParts, name: string): string {
  const last = ledger.events.newestOf(name, "gapMeasured");
  if (last === undefined) return NO_GAP;
  const { atMostMs } = last.detail;
  return `in the last rotation neither the old value nor the new one was accepted for at most ${atMostMs} ms`;
}

function notesOfVendor(parts: DaemonParts, { provider }: CredentialConfig): readonly string[] {
  const entry = parts.config().providers[provider];
  return (entry?.definition.describe(entry.settings).notes ?? []).map((clause) => `${provider}: ${clause}`);
}

/** What people should know of the places where the value is written. */
function notesOfPlaces(parts: DaemonParts, credential: CredentialConfig): readonly string[] {
  return [credential.store, ...credential.mirrors].flatMap(({ use, place }) => {
    const entry = parts.config().stores[use];
    return (entry?.definition.describe?.(entry.settings, place) ?? []).map((clause) => `${use}: ${clause}`);
  });
}
