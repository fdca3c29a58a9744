import { readdirSync, readFileSync } from "node:fs";
import type { Config } from "../config/config.ts";
import { parseConfig } from "../config/load.ts";
import type { Plugs } from "../config/schema.ts";
import type { World } from "../contract/world.ts";
import { packageFile } from "../version.ts";

const FOLDER = packageFile("examples/");

/** The configurations under examples/, which every kind of plug appears in. Throws `ConfigError` when one is not right. */
export function readExamples(plugs: Plugs): readonly Config[] {
  const files = readdirSync(FOLDER).filter((file) => file.endsWith(".yaml"));
  return files.toSorted().map((file) => parseConfig(readFileSync(new URL(file, FOLDER), "utf8"), `examples/${file}`, plugs));
}

export function exampleText(file: string): string {
  return readFileSync(new URL(file, FOLDER), "utf8");
}

/** The entry of a type in one of the examples. */
export function entryOf<Entry extends { readonly type: string }>(
  examples: readonly Config[],
  section: (config: Config) => Readonly<Record<string, Entry>>,
  type: string,
): Entry {
  const found = examples.flatMap((config) => Object.values(section(config))).find((entry) => entry.type === type);
  if (found === undefined) throw new Error(`no example has anything of type ${type}: add it to one in examples/`);
  return found;
}

/** A world in which nothing can be done: plugs are connected only to see which abilities they have. */
export const idleWorld = new Proxy({} as World, {
  get: (_, part) => () => {
    throw new Error(`a plug used ${String(part)} while it was connected`);
  },
});
