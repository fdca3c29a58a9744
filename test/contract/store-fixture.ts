import type { STORES } from "../../adapters/stores/index.ts";
import type { Store } from "../../src/contract/store.ts";
import { awsFixtures } from "./aws-fixture.ts";
import { fileFixtures } from "./file-fixture.ts";
import { vaultFixtures } from "./vault-fixture.ts";

/** A real store or a strict double of it, with two cells that share one document where the store has such a thing. */
export interface StoreFixture {
  readonly name: string;
  open(): Promise<OpenStore>;
}

export type Cell = "first" | "second";

export interface OpenStore {
  connect(cell: Cell): Store;
  /** A new connection that fails for good at its operation number `at` on the outside world, before or after it was done. */
  connectFailing(cell: Cell, at: number, when: "before" | "after"): { readonly store: Store; failed(): boolean };
  /** What a consumer reads, not through the store. */
  seen(cell: Cell): Promise<string | undefined>;
  /** Somebody else puts a value where consumers read it. */
  strangerWrites(cell: Cell, value: string): Promise<void>;
  /** Everything that is there, to see that nothing changed. */
  snapshot(): Promise<unknown>;
  close(): Promise<void>;
}

/** The kinds of store that are more than mirrors. */
type PrimaryStore = {
  [Name in keyof typeof STORES]: (typeof STORES)[Name] extends { connect: unknown } ? Name : never;
}[keyof typeof STORES];

/** A store without a fixture does not compile. */
export const STORE_FIXTURES: Readonly<Record<PrimaryStore, readonly StoreFixture[]>> = {
  file: fileFixtures,
  vault: vaultFixtures,
  "aws-secrets-manager": awsFixtures,
};
