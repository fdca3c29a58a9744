import type { ProviderName } from "../../providers/index.ts";
import type { Secret } from "../../src/contract/secret.ts";
import type { ThroughConsumer } from "../../src/contract/through.ts";
import type { World } from "../../src/contract/world.ts";
import { anyLlmVendor } from "./any-llm-vendor.ts";
import type { FaultRule } from "./faults.ts";
import { fakeGeminiVendor } from "./gemini-vendor.ts";
import { fakeOpenAiVendor } from "./openai-vendor.ts";
import { openclawTokenVendor } from "./openclaw-token-vendor.ts";

/** What the contract suite asks of every fake vendor. */
export interface FakeVendor {
  /** Each way to set the provider up, as an operator would write it; all of them run through the suite. */
  readonly variants: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** What the settings' `{ credential: NAME }` mean. */
  readonly secrets: Readonly<Record<string, string>>;
  /** Status of a consumer's live request with this secret: 200 while the key works. */
  use(secret: string): Promise<number>;
  /** Ids of all keys that work. */
  liveKeys(): readonly string[] | Promise<readonly string[]>;
  /** Makes keys that are not ours, so that a listing has several pages; none where the vendor has no room for any. */
  addStrangers(count: number): void | Promise<void>;
  /** What a person does at the console of a vendor that has no create. */
  makeKey?(name: string): Promise<{ readonly id: string; readonly secret: Secret }>;
  /** Makes room for two keys, at vendors where a few fill the account. */
  makeRoom?(): void | Promise<void>;
  /** The consumer that the plug goes through, with which the rotated of this world is known. */
  through?(world: World): Promise<ThroughConsumer>;
  /** The one value that works, where there is one at a time, and what makes another one that. */
  live?(): string;
  load?(secret: string): Promise<void>;
  /** Makes the vendor know the key but let it do nothing. */
  exhaust(keyId: string): void | Promise<void>;
  /** Which requests make a key, and which revoke one, for faults. */
  readonly createCall?: Pick<FaultRule, "method" | "path">;
  readonly revokeCall: Pick<FaultRule, "method" | "path">;
  addFault(rule: FaultRule): void;
  requests(): number;
  connections(): number;
  /** Forgets faults and requests; keeps keys. */
  reset(): void;
  close(): Promise<void>;
}

/** A provider without a fake does not compile: the suite has no gaps. */
export const FAKE_VENDORS: Readonly<Record<ProviderName, () => Promise<FakeVendor>>> = {
  "any-llm": anyLlmVendor,
  gemini: fakeGeminiVendor,
  openai: fakeOpenAiVendor,
  "openclaw-token": openclawTokenVendor,
};
