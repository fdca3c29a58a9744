import { AdapterError } from "../../../src/contract/errors.ts";

/** Labels, and the names that operators give: nothing that is a path, or the name of a probe. */
const VERSION = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;

/** Where the versions of one credential are kept, as paths below the mount. */
export function keepOf(keep: string, credential: string) {
  const folder = `${keep}/${credential}`;
  return {
    /** A name that no version can have. */
    probe: `${folder}/.probe`,
    path(version: string): string {
      if (VERSION.test(version)) return `${folder}/${version}`;
      throw new AdapterError("invalid", `vault store: "${version}" is no name of a version`, {
        cure: "use letters, digits, dash and underscore, 64 at most",
      });
    },
  } as const;
}
