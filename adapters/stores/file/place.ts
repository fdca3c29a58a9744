import { createHash } from "node:crypto";
import { basename, dirname, join } from "node:path";
import { AdapterError } from "../../../src/contract/errors.ts";
import { nameBehindTemporary } from "../../../src/contract/temporary.ts";
import type { World } from "../../../src/contract/world.ts";

/** Labels, and the names that operators give: nothing that could leave the directory or look like another version's file. */
const VERSION = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;

/** The names of the files that belong to one cell, all in the directory of its document. */
export interface Neighbours {
  readonly directory: string;
  /** Where a version is kept. */
  kept(version: string): string;
  /** A name that is never used for longer than a try. */
  readonly probe: string;
  /** Whether a file of the directory is a temporary one of the document or of any credential's keep beside it. */
  isLeftover(name: string): boolean;
}

/** `field` is part of the names: two credentials in one file keep their versions apart. */
export function neighbours(path: string, field: string | undefined): Neighbours {
  const [directory, name] = [dirname(path), basename(path)];
  const keep = `.${name}.rotated.`;
  const cell = createHash("sha256")
    .update(field ?? "")
    .digest("hex")
    .slice(0, 12);
  return {
    directory,
    probe: join(directory, `${keep}probe`),
    kept(version) {
      if (VERSION.test(version)) return join(directory, `${keep}${cell}.${version}`);
      throw new AdapterError("invalid", `file store: "${version}" is no name of a version`, {
        cure: "use letters, digits, dash and underscore, 64 at most",
      });
    },
    isLeftover(file) {
      const behind = nameBehindTemporary(file);
      return behind !== undefined && (behind === name || behind.startsWith(keep));
    },
  };
}

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** The ids behind `owner`: `1000:1000`, or the name of an account. */
export async function findOwner(owner: string, { run }: World, signal: AbortSignal): Promise<Owner> {
  // Only the system's resolver knows every account: not all are in /etc/passwd.
  const entry = /^\d+:\d+$/.test(owner) ? `::${owner}` : (await run(["getent", "passwd", owner], { stdin: "", signal })).stdout;
  const [, , uid, gid] = entry.split("\n", 1).join("").split(":");
  if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  throw new AdapterError("misconfigured", `file store: no account "${owner}"`, {
    cure: "set owner to an account of this host, or to UID:GID",
  });
}
