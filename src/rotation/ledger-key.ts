import type { VendorKey } from "../contract/provider.ts";
import type { NewKey } from "../state/keys.ts";
import type { StepContext } from "./context.ts";

/** A vendor's key as a new row of the ledger, before anything was done with it. */
export function ledgerKey(
  context: Pick<StepContext, "credential" | "provider">,
  key: VendorKey,
  version: string,
): Omit<NewKey, "fingerprint" | "stage"> {
  return {
    credential: context.credential.name,
    provider: context.provider.name,
    version,
    vendorId: key.id,
    createdAt: key.createdAt.getTime(),
    expiresAt: key.expiresAt?.getTime() ?? null,
    promotedAt: null,
    disabledAt: null,
    revokeAnnouncedAt: null,
    revokedAt: null,
    leftAt: null,
    probedAt: null,
    deadAt: null,
  };
}
