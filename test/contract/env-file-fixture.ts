import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseEnv } from "node:util";
import { envFile } from "../../adapters/stores/env-file.ts";
import { realWorld } from "../support/real-world.ts";
import { failingFiles } from "./failing.ts";
import type { MirrorFixture, OpenMirror } from "./mirror-fixture.ts";
import type { Cell } from "./store-fixture.ts";

const NAMES = { first: "OPENAI_API_KEY", second: "ANTHROPIC_API_KEY" } as const;
/** What else stands in the file, in a layout that no printer would make. */
const REST = "# the keys\n\nMODEL = 'fake 1'  \nDEBUG=\n";

/** Both readers of the mirror, each with two variables of one file. */
export const envFileFixtures: readonly MirrorFixture[] = (["systemd", "dotenv"] as const).map((format) => ({
  name: `env-file (${format})`,
  openMirror: () => open(format),
}));

async function open(format: string): Promise<OpenMirror> {
  const directory = await mkdtemp(join(tmpdir(), "rotated-env-"));
  const path = join(directory, "app.env");
  const world = realWorld(directory);
  await writeFile(path, REST, { mode: 0o600 });
  const asked = (cell: Cell) => [{}, envFile.place.parse({ path, name: NAMES[cell], format }), { credential: cell }] as const;

  return {
    connectMirror: (cell) => envFile.mirror(...asked(cell), world),
    connectFailingMirror(cell, at, when) {
      const { files, failed } = failingFiles(world.files, at, when);
      return { mirror: envFile.mirror(...asked(cell), { ...world, files }), failed };
    },
    seen: async (cell) => parseEnv(await readFile(path, "utf8"))[NAMES[cell]],
    async strangerWrites(cell, value) {
      const lines = (await readFile(path, "utf8")).split("\n").filter((line) => !line.startsWith(NAMES[cell]));
      await writeFile(path, [`${NAMES[cell]}='${value}'`, ...lines].join("\n"));
    },
    async snapshot() {
      const names = (await readdir(directory)).sort();
      return Promise.all(names.map(async (name) => [name, await readFile(join(directory, name), "utf8")]));
    },
    close: () => rm(directory, { recursive: true }),
  };
}
