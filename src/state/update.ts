import type { Statement } from "better-sqlite3";
import type { Db } from "./database.ts";
import { columnOf, type Parameters } from "./rows.ts";

/**
 * Writes some fields of a row, and names no other column: SQLite rewrites every index that a named column stands in, whether
 * its value changed or not. A statement is prepared once for each set of columns.
 */
export function openUpdate(db: Db, table: "keys" | "rotations"): (id: number, changes: Parameters) => void {
  const statements = new Map<string, Statement>();
  const prepared = (fields: readonly string[]) => {
    const names = fields.join();
    const known = statements.get(names);
    if (known !== undefined) return known;
    const set = fields.map((field) => `${columnOf(field)} = ?`).join(", ");
    const statement = db.prepare(`update ${table} set ${set} where id = +?`);
    statements.set(names, statement);
    return statement;
  };
  return (id, changes) => {
    const fields = Object.keys(changes);
    if (fields.length > 0) prepared(fields).run(...Object.values(changes), id);
  };
}
