import { readFileSync } from "node:fs";

/** The version of this package, from its package.json. */
export function ownVersion(): string {
  const root = import.meta.url.includes("/dist/src/") ? "../../package.json" : "../package.json";
  const { version } = JSON.parse(readFileSync(new URL(root, import.meta.url), "utf8")) as { version: string };
  return version;
}
