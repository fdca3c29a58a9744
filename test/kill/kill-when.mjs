// Loaded before the daemon: ends it by SIGKILL around the first commit after which a question about the ledger has an answer. Shipped
// code knows nothing of it.
//   KILL_WHEN=SQL         the question; any row is an answer
//   KILL_SIDE=before      when all is written and nothing is committed: what was done outside is not in the ledger
//   KILL_SIDE=after       right after the commit
import Database from "better-sqlite3";

const { KILL_WHEN: question, KILL_SIDE: side } = process.env;
const original = Database.prototype.transaction;
Database.prototype.transaction = function (work) {
  const die = () => this.prepare(question).get() !== undefined && process.kill(process.pid, "SIGKILL");
  const wrapped = original.call(this, (...args) => {
    const result = work(...args);
    if (question !== undefined && side === "before") die();
    return result;
  });
  const immediate = (...args) => {
    const result = wrapped.immediate(...args);
    if (question !== undefined && side === "after") die();
    return result;
  };
  return Object.assign((...args) => wrapped(...args), { immediate });
};
