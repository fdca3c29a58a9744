import { readFileSync } from "node:fs";

/** A file of this package, whether this runs as it was written, in src, or as it was built, in dist. */
export function packageFile(path: string): URL {
  return new URL(`../${path}`, import.meta.url);
}

/** The version of this package, from its package.json. */
export function ownVersion(): string {
  const { version } = JSON.parse(readFileSync(packageFile("package.json"), "utf8")) as { version: string };
  return version;
}
