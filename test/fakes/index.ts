import type { ProviderName } from "../../providers/index.ts";
import type { FaultRule } from "./faults.ts";
import { fakeOpenAiVendor } from "./openai-vendor.ts";

/** What the contract suite asks of every fake vendor. */
export interface FakeVendor {
  /** Each way to set the provider up, as an operator would write it; all of them run through the suite. */
  readonly variants: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** What the settings' `{ credential: NAME }` mean. */
  readonly secrets: Readonly<Record<string, string>>;
  /** Status of a consumer's live request with this secret. */
  use(secret: string): Promise<number>;
  /** Ids of all keys that work. */
  liveKeys(): readonly string[];
  /** Makes keys that are not ours, so that a listing has several pages. */
  addStrangers(count: number): void;
  /** Makes the vendor know the key but let it do nothing. */
  exhaust(keyId: string): void;
  addFault(rule: FaultRule): void;
  requests(): number;
  connections(): number;
  /** Forgets faults and requests; keeps keys. */
  reset(): void;
  close(): Promise<void>;
}

/** A provider without a fake does not compile: the suite has no gaps. */
export const FAKE_VENDORS: Readonly<Record<ProviderName, () => Promise<FakeVendor>>> = { openai: fakeOpenAiVendor };
