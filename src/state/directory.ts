import { createSecretKey, type KeyObject } from "node:crypto";
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { DatabaseError } from "./database.ts";

const LEDGER = "rotated.db";
const KEY = "fingerprint.key";

/** The daemon's own directory: the ledger, and the key of its fingerprints. Both belong into every backup. */
export interface StateDirectory {
  readonly database: string;
  /** What tells the ledger's file from a copy of it. */
  databaseFile(): string;
  /**
   * The key under which secrets are fingerprinted; made when it is missing. Throws `DatabaseError` when the ledger
   * `hasFingerprints` already: under another key they would match nothing.
   */
  fingerprintKey(hasFingerprints: boolean): KeyObject;
}

/** Makes what is missing, and closes the directory to others. Throws `DatabaseError` when it cannot be used, or is not its own. */
export function openStateDirectory(path: string, random: (bytes: number) => Uint8Array): StateDirectory {
  return explained(path, () => {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    closeToOthers(path);
    refuseToForget(path);
    const file = join(path, KEY);
    return {
      database: join(path, LEDGER),
      databaseFile: () =>
        explained(path, () => {
          const { ino, birthtimeMs } = statSync(join(path, LEDGER));
          return `${ino}-${birthtimeMs}`;
        }),
      fingerprintKey: (hasFingerprints) =>
        explained(path, () => {
          const found = readKey(file);
          if (found !== undefined) return found;
          if (!hasFingerprints) return makeKey(file, path, random);
          throw new DatabaseError(
            `${path}: fingerprint.key is missing, and the ledger has fingerprints made with it`,
            "restore both from the same backup",
          );
        }),
    };
  });
}

/** What others share, such as `/var/lib`, would be closed to all of them: by its look it must be ours. */
function closeToOthers(path: string): void {
  if ((statSync(path).mode & 0o777) === 0o700) return;
  const found = readdirSync(path);
  if (found.length > 0 && !found.includes(LEDGER) && !found.includes(KEY)) {
    throw new DatabaseError(
      `${path}: not the state directory of rotated: other things are in it, and others may open it`,
      `give stateDirectory a directory of its own; if this is one: chmod 700 ${path}`,
    );
  }
  chmodSync(path, 0o700);
}

/** The key is made after the ledger. Alone it says that a ledger was here; a new one would know none of the keys that live at vendors. */
function refuseToForget(path: string): void {
  if (existsSync(join(path, LEDGER)) || !existsSync(join(path, KEY))) return;
  throw new DatabaseError(
    `${path}: ${LEDGER} is missing, and its ${KEY} is there`,
    `restore both from the same backup; to begin anew, with every key unknown: mv ${join(path, KEY)} ${join(path, `${KEY}.old`)}`,
  );
}

function explained<T>(path: string, work: () => T): T {
  try {
    return work();
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

function readKey(file: string): KeyObject | undefined {
  const found = readIfThere(file);
  if (found === undefined) return undefined;
  if (/^[0-9a-f]{64}\n?$/.test(found)) return createSecretKey(found.trim(), "hex");
  throw new DatabaseError(`${file}: not a fingerprint key`, "restore it from the backup that the ledger is from");
}

function makeKey(file: string, directory: string, random: (bytes: number) => Uint8Array): KeyObject {
  const key = random(32);
  const temporary = `${file}.new`;
  const fd = openSync(temporary, "w", 0o600);
  try {
    writeSync(fd, `${Buffer.from(key).toString("hex")}\n`);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(temporary, file);
  const entry = openSync(directory, "r");
  fsyncSync(entry);
  closeSync(entry);
  return createSecretKey(key);
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}
