import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { file } from "../../adapters/stores/file.ts";
import { Secret } from "../../src/contract/secret.ts";
import type { Store } from "../../src/contract/store.ts";
import type { World } from "../../src/contract/world.ts";
import { realWorld } from "./real-world.ts";

export const canary = "sk-canary-file-store";

/** A file store over a directory of its own. */
export interface FileStoreBench {
  readonly directory: string;
  readonly path: string;
  /** A test may put another one in its place. */
  world: World;
  /** The store anew, as a credential with this place sees it. */
  store(place?: Readonly<Record<string, unknown>>): Store;
  /** Makes the canary current there, as version `v1`. */
  put(place: Readonly<Record<string, unknown>>, over?: string): Promise<void>;
  close(): void;
}

export function fileStoreBench(): FileStoreBench {
  const directory = mkdtempSync(join(tmpdir(), "rotated-file-store-"));
  const path = join(directory, "secrets.json");
  const { signal } = new AbortController();
  const bench: FileStoreBench = {
    directory,
    path,
    world: realWorld(directory),
    store: (place = {}) => file.connect({}, file.place.parse({ path, ...place }), { credential: "prod" }, bench.world),
    async put(place, over) {
      await bench.store(place).stage("v1", new Secret(canary), signal);
      await bench.store(place).promote("v1", over, signal);
    },
    close: () => rmSync(directory, { recursive: true }),
  };
  return bench;
}
