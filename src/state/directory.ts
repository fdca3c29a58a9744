import { chmodSync, closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { join } from "node:path";
import { DatabaseError } from "./database.ts";

/** The daemon's own directory: the ledger, and the key of its fingerprints. Both belong into every backup. */
export interface StateDirectory {
  readonly database: string;
  /** The key under which secrets are fingerprinted. `isNew` tells whether the ledger must be without fingerprints. */
  readonly fingerprintKey: Uint8Array;
  readonly isNew: boolean;
}

/** Makes what is missing. Throws `DatabaseError` when the directory cannot be used. */
export function openStateDirectory(path: string, random: (bytes: number) => Uint8Array): StateDirectory {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    chmodSync(path, 0o700);
    return { database: join(path, "rotated.db"), ...openKey(join(path, "fingerprint.key"), path, random) };
  } catch (error) {
    if (error instanceof DatabaseError || !(error instanceof Error)) throw error;
    throw new DatabaseError(
      `${path}: cannot use the state directory: ${codeOf(error)}`,
      "look at its owner and mode, and whether the disk is full or read-only",
      { cause: error },
    );
  }
}

const codeOf = (error: Error) => ("code" in error ? String(error.code) : error.message);

function openKey(file: string, directory: string, random: (bytes: number) => Uint8Array): { fingerprintKey: Uint8Array; isNew: boolean } {
  const found = readIfThere(file);
  if (found !== undefined) {
    if (!/^[0-9a-f]{64}\n?$/.test(found))
      throw new DatabaseError(`${file}: not a fingerprint key`, "restore it from the backup that the ledger is from");
    return { fingerprintKey: Buffer.from(found.trim(), "hex"), isNew: false };
  }
  const fingerprintKey = random(32);
  const temporary = `${file}.new`;
  const fd = openSync(temporary, "w", 0o600);
  writeSync(fd, `${Buffer.from(fingerprintKey).toString("hex")}\n`);
  fsyncSync(fd);
  closeSync(fd);
  renameSync(temporary, file);
  const entry = openSync(directory, "r");
  fsyncSync(entry);
  closeSync(entry);
  return { fingerprintKey, isNew: true };
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}
