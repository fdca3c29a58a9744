import type { Mirror } from "../../src/contract/store.ts";
import { awsMirrorFixtures } from "./aws-fixture.ts";
import { envFileFixtures } from "./env-file-fixture.ts";
import { fileMirrorFixtures } from "./file-fixture.ts";
import { openclawMirrorFixtures } from "./openclaw-mirror-fixture.ts";
import type { Cell, KindsWith, OpenStore } from "./store-fixture.ts";
import { vaultMirrorFixtures } from "./vault-fixture.ts";

/** A real place that takes copies, or a strict double of it, with two cells that share one document where it has such a thing. */
export interface MirrorFixture {
  readonly name: string;
  /** How long to leave it alone before a test that writes a lot: a real gateway lets a device write thirty times a minute. */
  readonly quietMs?: number;
  openMirror(): Promise<OpenMirror>;
}

/** What readers see, what strangers do and what is there are asked as of a store. */
export interface OpenMirror extends Pick<OpenStore, "seen" | "strangerWrites" | "snapshot" | "close"> {
  connectMirror(cell: Cell): Mirror;
  /** The snapshot without what each write changes, such as its time; the snapshot itself where there is no such thing. */
  content?(): Promise<unknown>;
  /** A new connection that fails for good at its operation number `at` on the outside world, before or after it was done. */
  connectFailingMirror?(cell: Cell, at: number, when: "before" | "after"): { readonly mirror: Mirror; failed(): boolean };
}

/** A kind of store that can be a mirror and has no fixture does not compile. */
export const MIRROR_FIXTURES: Readonly<Record<KindsWith<"mirror">, readonly MirrorFixture[]>> = {
  "aws-secrets-manager": awsMirrorFixtures,
  "env-file": envFileFixtures,
  file: fileMirrorFixtures,
  "openclaw-secrets": openclawMirrorFixtures,
  vault: vaultMirrorFixtures,
};
