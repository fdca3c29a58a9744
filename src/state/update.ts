import type { Statement } from "better-sqlite3";
import type { Db } from "./database.ts";
import { type Row, toRow } from "./rows.ts";

/**
 * Writes some fields of a row, and names no other column: SQLite rewrites every index that a named column stands in, whether
 * its value changed or not. A statement is prepared once for each set of columns.
 */
export function openUpdate(db: Db, table: "keys" | "rotations"): (id: number, fields: object) => void {
  const statements = new Map<string, Statement<[Row]>>();
  const prepared = (columns: readonly string[]) => {
    const list = columns.map((column) => `${column} = @${column}`).join(", ");
    const known = statements.get(list);
    if (known !== undefined) return known;
    const statement = db.prepare<[Row]>(`update ${table} set ${list} where id = +@id`);
    statements.set(list, statement);
    return statement;
  };
  return (id, fields) => {
    const row = toRow(fields);
    const columns = Object.keys(row);
    if (columns.length > 0) prepared(columns).run({ ...row, id });
  };
}
