import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { file } from "../../adapters/stores/file.ts";
import type { Files } from "../../src/contract/world.ts";
import { realWorld } from "../support/real-world.ts";
import type { Cell, OpenStore, StoreFixture } from "./store-fixture.ts";

const FIELDS = { first: "/models/openai/apiKey", second: "/models/anthropic/apiKey" } as const;
/** What else stands in the document, in a layout that no printer would make. */
const REST = '{ "rest":   [1,2, 3],\n\t"models": {"x": null} }\n';

/** Both shapes of the store: a file per value, and two fields of one JSON file. */
export const fileFixtures: readonly StoreFixture[] = [
  { name: "file (one value)", open: () => open(false) },
  { name: "file (fields of one JSON file)", open: () => open(true) },
];

async function open(json: boolean): Promise<OpenStore> {
  const directory = await mkdtemp(join(tmpdir(), "rotated-store-"));
  const world = realWorld(directory);
  const path = (cell: Cell) => join(directory, json ? "secrets.json" : cell);
  if (json) await writeFile(path("first"), REST, { mode: 0o600 });
  const connect = (cell: Cell, files: Files = world.files) =>
    file.connect(
      {},
      file.place.parse({ path: path(cell), ...(json ? { field: FIELDS[cell] } : {}) }),
      { credential: cell },
      { ...world, files },
    );

  async function seen(cell: Cell): Promise<string | undefined> {
    const text = await world.files.read(path(cell));
    if (!json || text === undefined) return text;
    const key = (JSON.parse(text) as { models: Record<string, { apiKey?: string } | undefined> }).models;
    return key[cell === "first" ? "openai" : "anthropic"]?.apiKey;
  }

  return {
    connect: (cell) => connect(cell),
    connectFailing(cell, at, when) {
      const { files, failed } = failing(world.files, at, when);
      return { store: connect(cell, files), failed };
    },
    seen,
    async strangerWrites(cell, value) {
      if (!json) return writeFile(path(cell), value, { mode: 0o600 });
      const document = JSON.parse(await readFile(path(cell), "utf8")) as { models: Record<string, unknown> };
      document.models[cell === "first" ? "openai" : "anthropic"] = { apiKey: value };
      await writeFile(path(cell), JSON.stringify(document));
      await chmod(path(cell), 0o600);
    },
    async snapshot() {
      const names = (await readdir(directory)).sort();
      return Promise.all(names.map(async (name) => [name, await readFile(join(directory, name), "utf8")]));
    },
    close: () => rm(directory, { recursive: true }),
  };
}

/** As if the process had died at its operation number `at`: this one and all later ones throw. */
function failing(files: Files, at: number, when: "before" | "after"): { files: Files; failed: () => boolean } {
  let count = 0;
  async function counted<T>(operation: () => Promise<T>): Promise<T> {
    count += 1;
    if (count === at && when === "after") await operation();
    if (count >= at) throw Object.assign(new Error("the process died here"), { code: "EIO" });
    return operation();
  }
  return {
    failed: () => count >= at,
    files: {
      read: (path) => counted(() => files.read(path)),
      replace: (path, content, options) => counted(() => files.replace(path, content, options)),
      remove: (path) => counted(() => files.remove(path)),
      list: (directory) => counted(() => files.list(directory)),
      stat: (path) => counted(() => files.stat(path)),
    },
  };
}
