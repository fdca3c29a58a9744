/** Announces five calls in the ledger that is named, with a mark before the first and after each: for strace. */
import { writeSync } from "node:fs";
import { openDatabase } from "../../src/state/database.ts";
import { openLedger } from "../../src/state/ledger.ts";
import { MIGRATIONS, newKey, startRotation } from "./fixture.ts";

const db = openDatabase(process.argv[2] ?? "", MIGRATIONS);
const ledger = openLedger(db, { now: () => Date.now() });
ledger.know("main");
const { rotation } = startRotation(ledger);
const key = ledger.keys.insert(newKey());
writeSync(1, "MARK\n");
for (let n = 0; n < 5; n += 1) {
  ledger.announce(rotation, "openai", { kind: "promote", key, openUntil: Date.now() + 1000 });
  writeSync(1, "MARK\n");
}
db.close();
