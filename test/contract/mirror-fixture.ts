import type { Mirror } from "../../src/contract/store.ts";
import { openclawMirrorFixtures } from "./openclaw-mirror-fixture.ts";
import { vaultMirrorFixtures } from "./vault-fixture.ts";

/** A real place that takes copies, or a strict double of it. */
export interface MirrorFixture {
  readonly name: string;
  openMirror(): Promise<OpenMirror>;
}

export interface OpenMirror {
  connectMirror(): Mirror;
  /** What a reader gets, not through the mirror. */
  seen(): Promise<string | undefined>;
  /** Somebody else puts a value where readers look. */
  strangerWrites(value: string): Promise<void>;
  /** Everything that is there, to see that nothing changed. */
  snapshot(): Promise<unknown>;
  close(): Promise<void>;
}

/** Every kind of store that can be a mirror. */
export const MIRROR_FIXTURES: Readonly<Record<string, readonly MirrorFixture[]>> = {
  "openclaw-secrets": openclawMirrorFixtures,
  vault: vaultMirrorFixtures,
};
