import { createHash } from "node:crypto";
import { join } from "node:path";
import { AdapterError } from "../../../src/contract/errors.ts";
import { neighbours } from "../on-disk/neighbours.ts";

/** Labels, and the names that operators give: nothing that could leave the directory or look like another version's file. */
const VERSION = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;

/** Where the versions of one cell are kept. `field` is part of the names: two credentials in one file keep theirs apart. */
export function keepOf(path: string, field: string | undefined): (version: string) => string {
  const { directory, keep } = neighbours(path);
  const cell = createHash("sha256")
    .update(field ?? "")
    .digest("hex")
    .slice(0, 12);
  return (version) => {
    if (VERSION.test(version)) return join(directory, `${keep}${cell}.${version}`);
    throw new AdapterError("invalid", `file store: "${version}" is no name of a version`, {
      cure: "use letters, digits, dash and underscore, 64 at most",
    });
  };
}
