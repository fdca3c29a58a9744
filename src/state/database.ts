import { readdirSync, readFileSync } from "node:fs";
import Database from "better-sqlite3";

export type Db = Database.Database;

/** The ledger cannot be opened or written. `message` says why, `hint` what to do. */
export class DatabaseError extends Error {
  override readonly name = "DatabaseError";
  readonly hint: string;

  constructor(message: string, hint: string, options?: ErrorOptions) {
    super(message, options);
    this.hint = hint;
  }
}

/**
 * Opens the ledger, for this process alone, and brings its schema up to date. `path` may be `:memory:`.
 *
 * Every commit is synced before it returns. Throws `DatabaseError` when another process has it open, when it was
 * written by a newer version, when it is damaged, or when it cannot be read or written.
 */
export function openDatabase(path: string, migrations: URL): Db {
  let db: Db | undefined;
  try {
    db = new Database(path, { timeout: 200 });
    db.pragma("locking_mode = exclusive");
    db.pragma("journal_mode = wal");
    db.pragma("synchronous = full");
    db.pragma("foreign_keys = on");
    mustBeWhole(db, path);
    migrate(db, path, migrations);
    return db;
  } catch (error) {
    db?.close();
    throw explain(error, `${path}: cannot open the ledger`);
  }
}

const DAMAGED = { why: "it is not a database, or damaged", hint: "restore the last backup of the state directory" };

/** A damaged page may be one that is first read, or written, in the middle of a rotation: it is looked for while nothing is under way. */
function mustBeWhole(db: Db, path: string): void {
  if (db.pragma("quick_check(1)", { simple: true }) === "ok") return;
  throw new DatabaseError(`${path}: cannot open the ledger: ${DAMAGED.why}`, DAMAGED.hint);
}

function migrate(db: Db, path: string, directory: URL): void {
  const files = readdirSync(directory)
    .filter((name) => name.endsWith(".sql"))
    .sort();
  const applied = db.pragma("user_version", { simple: true }) as number;
  if (applied > files.length) {
    throw new DatabaseError(
      `${path}: schema ${applied} was written by a newer version of rotated; this one knows ${files.length}`,
      "install the newer version again, or restore the backup from before the upgrade",
    );
  }
  db.transaction(() => {
    for (const [index, name] of files.entries()) {
      if (index < applied) continue;
      db.exec(readFileSync(new URL(name, directory), "utf8"));
      db.pragma(`user_version = ${index + 1}`);
    }
  }).immediate();
}

/** SQLite's codes that an operator can cure, and how. */
const CURES: readonly { code: RegExp; why: string; hint: string }[] = [
  { code: /^SQLITE_BUSY/, why: "another process has it open", hint: "only one daemon may use a state directory; stop the other one" },
  { code: /^SQLITE_FULL/, why: "the disk is full", hint: "free some space; nothing was lost" },
  { code: /^SQLITE_(NOTADB|CORRUPT)/, ...DAMAGED },
  {
    code: /^SQLITE_(READONLY|CANTOPEN|PERM)/,
    why: "it cannot be written",
    hint: "look at the owner and mode of the state directory, and whether it is mounted read-only",
  },
  { code: /^SQLITE_IOERR/, why: "the disk reports an error", hint: "look at the kernel's log, and at limits on file sizes" },
];

/** What SQLite says, as what an operator can cure. Any other error stays as it is: it is a bug. */
export function explain(error: unknown, doing: string): unknown {
  if (!(error instanceof Database.SqliteError)) return error;
  const cure = CURES.find(({ code }) => code.test(error.code));
  return cure === undefined ? error : new DatabaseError(`${doing}: ${cure.why}`, cure.hint, { cause: error });
}
