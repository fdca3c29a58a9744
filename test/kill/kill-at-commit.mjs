// Loaded before the daemon: counts its commits, and ends it by SIGKILL at one of them. Shipped code knows nothing of it.
//   KILL_COUNT=FILE       a byte is appended for every commit, once the file is there
//   KILL_AT=before:7      inside the 7th transaction, when all is written and nothing is committed
//   KILL_AT=after:7       right after its commit
import { appendFileSync, existsSync } from "node:fs";
import Database from "better-sqlite3";

const { KILL_COUNT: file, KILL_AT: at } = process.env;
const [when, number] = (at ?? "").split(":");
let count = 0;

const die = () => process.kill(process.pid, "SIGKILL");
const original = Database.prototype.transaction;
Database.prototype.transaction = function (work) {
  let counted = false;
  const wrapped = original.call(this, (...args) => {
    const result = work(...args);
    counted = file !== undefined && existsSync(file);
    if (counted) count += 1;
    if (counted && when === "before" && count === Number(number)) die();
    return result;
  });
  const immediate = (...args) => {
    const result = wrapped.immediate(...args);
    if (counted) appendFileSync(file, ".");
    if (counted && when === "after" && count === Number(number)) die();
    return result;
  };
  return Object.assign((...args) => wrapped(...args), { immediate });
};
