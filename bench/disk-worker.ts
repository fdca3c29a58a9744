/** What the disk allows: as many synced commits of the same size as the engine makes, with nothing else around them. */
import { join } from "node:path";
import { openDatabase } from "../src/state/database.ts";
import type { DiskRound, RoundTime } from "./engine.ts";
import { serveRounds } from "./worker.ts";

/** One row fills one page; so many that the log, not the table, decides. */
const ROWS = 512;
const ROW_BYTES = 3900;

const [directory = "."] = process.argv.slice(2);
// The ledger's own way to open a database gives the same settings; its tables are not used.
const db = openDatabase(join(directory, "disk.db"), new URL("../migrations/", import.meta.url));
db.exec("create table page (id integer primary key, content blob not null)");
const insert = db.prepare("insert into page (id, content) values (?, ?)");
const update = db.prepare("update page set content = ? where id = ?");
const content = Buffer.alloc(ROW_BYTES, 7);
db.transaction(() => {
  for (let id = 0; id < ROWS; id += 1) insert.run(id, content);
}).immediate();

let next = 0;
const commit = db.transaction((pages: number) => {
  for (let page = 0; page < pages; page += 1) {
    content.writeUInt32LE(next);
    update.run(content, next % ROWS);
    next += 1;
  }
});

function run({ commits, pagesPerCommit }: DiskRound): RoundTime {
  const from = performance.now();
  for (let done = 0; done < commits; done += 1) {
    // Whole pages that come to the right number in the mean.
    commit.immediate(Math.max(1, Math.floor((done + 1) * pagesPerCommit) - Math.floor(done * pagesPerCommit)));
  }
  return { ms: performance.now() - from };
}

run({ commits: 200, pagesPerCommit: 4 });
await serveRounds<DiskRound>({}, run);
db.close();
