import { basename, dirname, join } from "node:path";
import { nameBehindTemporary } from "../../../src/contract/temporary.ts";

/** Files of ours in the directory of a document. */
export interface Neighbours {
  readonly directory: string;
  /** How the names of all files begin that are kept beside the document. */
  readonly keep: string;
  /** A name that is never used for longer than a try. */
  readonly probe: string;
  /** Whether a file of the directory is a temporary one of the document or of any credential's keep beside it. */
  isLeftover(name: string): boolean;
}

export function neighbours(path: string): Neighbours {
  const [directory, name] = [dirname(path), basename(path)];
  const keep = `.${name}.rotated.`;
  return {
    directory,
    keep,
    probe: join(directory, `${keep}probe`),
    isLeftover(file) {
      const behind = nameBehindTemporary(file);
      return behind !== undefined && (behind === name || behind.startsWith(keep));
    },
  };
}
