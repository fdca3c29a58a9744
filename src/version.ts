import { readFileSync } from "node:fs";

/** A file of this package, whether this runs as it was written or as it was built. */
export function packageFile(path: string): URL {
  return new URL(path, new URL(import.meta.url.includes("/dist/src/") ? "../../" : "../", import.meta.url));
}

/** The version of this package, from its package.json. */
export function ownVersion(): string {
  const { version } = JSON.parse(readFileSync(packageFile("package.json"), "utf8")) as { version: string };
  return version;
}
