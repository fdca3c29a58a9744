import { ControlError } from "../api-errors.ts";
import type { Key } from "../model.ts";
import type { DaemonParts } from "./daemon-parts.ts";

type Parts = Pick<DaemonParts, "config" | "ledger">;

/** Throws where the credential has an open rotation. */
export function mustBeAtRest({ ledger }: Parts, name: string): void {
  const open = ledger.rotations.open(name);
  if (open !== undefined)
    throw new ControlError(
      "conflict",
      `${name} has an open rotation (${open.plan.name})`,
      "wait until it is over, or say rotatectl abandon",
    );
}

/** A key that a credential wants to take, as the vendor names it; its fingerprint is null where the value is not known. */
interface Wanted {
  readonly name: string;
  readonly provider: string;
  readonly keyId: string;
  readonly fingerprint: string | null;
}

/** Throws where another credential holds the key, or a slot of its account. */
export function mustBeFree(parts: Parts, wanted: Wanted): void {
  mustHaveNoHolder(parts, wanted);
  mustHaveBothSlots(parts, wanted);
}

/** Two entries of the configuration may be one account, so the value counts as well as the vendor's id. */
function mustHaveNoHolder({ ledger }: Parts, { name, provider, keyId, fingerprint }: Wanted): void {
  const rows = ledger.keys.byVendorId(provider, keyId);
  const holder = [...rows, ...(fingerprint === null ? [] : ledger.keys.fingerprinted(fingerprint))].find(
    (row) => row.credential !== name && row.stage !== "dead" && ledger.credentials.get(row.credential)?.retiredAt == null,
  );
  if (holder === undefined) return;
  throw new ControlError(
    "conflict",
    `credential ${holder.credential} already holds ${keyId}`,
    "give each credential a key of its own, or retire the other one",
  );
}

/** One credential needs both slots of an account: with a second one, each would wait for the other for ever. */
function mustHaveBothSlots({ config, ledger }: Parts, { name, provider }: Wanted): void {
  if (config().providers[provider]?.supply !== "dual-slot") return;
  const holder = ledger.keys
    .liveAt(provider)
    .find((row) => row.credential !== name && ledger.credentials.get(row.credential)?.retiredAt == null);
  if (holder === undefined) return;
  throw new ControlError(
    "conflict",
    `credential ${holder.credential} rotates the two keys of ${provider}, and needs both`,
    "give each credential an account of its own, or retire the other one",
  );
}

/** A key that was made dead, or shall be, is not taken back: at some vendors a person can undo its end. */
export function mustBeNew(known: Key | undefined, row: Key | undefined): void {
  if (row === undefined || row.id === known?.id || row.stage === "current") return;
  throw new ControlError(
    "conflict",
    `${row.vendorId} is in the ledger of ${row.credential} already, as ${row.stage}`,
    "put another key into the store, then adopt that one",
  );
}
