import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { file } from "../../adapters/stores/file.ts";
import { realWorld } from "../support/real-world.ts";
import { failingFiles } from "./failing.ts";
import type { MirrorFixture, OpenMirror } from "./mirror-fixture.ts";
import type { Cell, OpenStore, StoreFixture } from "./store-fixture.ts";

const FIELDS = { first: "/models/openai/apiKey", second: "/models/anthropic/apiKey" } as const;
/** What else stands in the document, in a layout that no printer would make. */
const REST = '{ "rest":   [1,2, 3],\n\t"models": {"x": null} }\n';

/** Both shapes of the store: a file per value, and two fields of one JSON file. */
export const fileFixtures: readonly StoreFixture[] = [
  { name: "file (one value)", open: () => open(false) },
  { name: "file (fields of one JSON file)", open: () => open(true) },
];

export const fileMirrorFixtures: readonly MirrorFixture[] = fileFixtures.map(({ name }, index) => ({
  name,
  openMirror: () => open(index === 1),
}));

async function open(json: boolean): Promise<OpenStore & OpenMirror> {
  const directory = await mkdtemp(join(tmpdir(), "rotated-store-"));
  const world = realWorld(directory);
  const path = (cell: Cell) => join(directory, json ? "secrets.json" : cell);
  if (json) await writeFile(path("first"), REST, { mode: 0o600 });
  const asked = (cell: Cell) =>
    [{}, file.place.parse({ path: path(cell), ...(json ? { field: FIELDS[cell] } : {}) }), { credential: cell }] as const;

  async function seen(cell: Cell): Promise<string | undefined> {
    const text = await world.files.read(path(cell));
    if (!json || text === undefined) return text;
    const key = (JSON.parse(text) as { models: Record<string, { apiKey?: string } | undefined> }).models;
    return key[cell === "first" ? "openai" : "anthropic"]?.apiKey;
  }

  return {
    connect: (cell) => file.connect(...asked(cell), world),
    connectMirror: (cell) => file.mirror(...asked(cell), world),
    connectFailing(cell, at, when) {
      const { files, failed } = failingFiles(world.files, at, when);
      return { store: file.connect(...asked(cell), { ...world, files }), failed };
    },
    connectFailingMirror(cell, at, when) {
      const { files, failed } = failingFiles(world.files, at, when);
      return { mirror: file.mirror(...asked(cell), { ...world, files }), failed };
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
