import type { ProviderName } from "../providers/index.ts";
import { startOpenAi } from "./openai.ts";
import { startOther } from "./other-vendor.ts";
import type { PeerName } from "./peers.ts";
import type { Stage } from "./stage.ts";
import type { Vendor } from "./vendor.ts";

const OURS = "rotated itself signs in with it, so no consumer could show anything";

/** Why a type of provider is not in the demo; all others are. */
export const NOT_SHOWN: Readonly<Partial<Record<ProviderName, string>>> = {
  "aws-access-key": OURS,
  "openai-admin": OURS,
  "openclaw-token": "It is a gateway's own token, not a key of a vendor",
  "vault-approle": OURS,
};

/** The programs that must be there before it is opened. */
export const neededBy = (type: ProviderName): readonly PeerName[] => (type === "any-llm" ? ["any-llm"] : []);

/** Starts the vendor, with one key. */
export function openVendor(stage: Stage, type: ProviderName): Promise<Vendor> {
  return type === "openai" ? startOpenAi(stage) : startOther(stage, type);
}
