/** Rotates with the real engine, ledger and disk; the world outside answers at once. */
import { generateKeySync, randomBytes } from "node:crypto";
import { statSync } from "node:fs";
import { join } from "node:path";
import { destination } from "pino";
import { watchCalls } from "../src/itself/calls.ts";
import { openLog } from "../src/log.ts";
import { connectPlugs } from "../src/plugs.ts";
import { createEngine } from "../src/rotation/engine.ts";
import { pinPlan } from "../src/rotation/plans.ts";
import { openDatabase } from "../src/state/database.ts";
import { openLedger } from "../src/state/ledger.ts";
import { realClock } from "../src/world/clock.ts";
import { openNetwork } from "../src/world/network.ts";
import { openWorld } from "../src/world/world.ts";
import type { EngineAnswer, EngineReady, EngineRound } from "./engine.ts";
import { instantConfig } from "./plugs.ts";
import { LOG_FD, serveRounds } from "./worker.ts";

/** A frame of SQLite's write-ahead log: a page and its header. */
const FRAME_BYTES = 4096 + 24;
const CREDENTIALS = 16;
/** So many that V8 has compiled what a rotation runs through. */
const WARM_UP = 1000;

const [directory = "."] = process.argv.slice(2);
const names = Array.from({ length: CREDENTIALS }, (_, index) => `credential-${index}`);
const config = instantConfig(names, directory);
const path = join(directory, "engine.db");
const db = openDatabase(path, new URL("../migrations/", import.meta.url));

let commits = 0;
const transaction = db.transaction.bind(db);
db.transaction = ((work: (...args: readonly unknown[]) => unknown) =>
  transaction((...args: readonly unknown[]) => {
    commits += 1;
    return work(...args);
  })) as typeof db.transaction;

const ledger = openLedger(db, realClock);
for (const name of names) ledger.know(name);
const plugs = connectPlugs(
  config,
  openWorld(openNetwork(config.network), directory),
  watchCalls(realClock, () => {}),
);
const ended = new Map<string, () => void>();
const engine = createEngine({
  ledger,
  clock: realClock,
  random: randomBytes,
  installation: ledger.installation("bench", () => "bench1"),
  fingerprintKey: generateKeySync("hmac", { length: 256 }),
  config: () => config,
  plugs: () => plugs,
  log: openLog("info", destination({ dest: LOG_FD, sync: true })),
  atRest(rotation) {
    if (rotation.outcome !== "done") throw new Error(`a rotation ended ${rotation.outcome}: ${rotation.lastError ?? rotation.stuckReason}`);
    ended.get(rotation.credential)?.();
  },
});

/** One rotation of a credential, from its start to its proof. */
function rotate(credential: string, plan: "initial" | "routine"): Promise<void> {
  return new Promise((resolve) => {
    ended.set(credential, resolve);
    ledger.start({
      credential,
      plan: pinPlan(plan, {
        supply: "create",
        consumers: config.credentials[credential]?.consumers ?? [],
        overlapMs: 0,
        preflightUntil: null,
        now: true,
      }),
      trigger: "operator",
      actor: null,
      reason: null,
      idempotencyKey: null,
    });
    engine.runDue();
  });
}

async function rotateAll({ rotations, atOnce }: EngineRound): Promise<EngineAnswer> {
  let left = rotations;
  const commitsBefore = commits;
  const from = performance.now();
  const lane = async (first: number) => {
    // In turns through all of its credentials: no real one has a thousand dead keys.
    for (let turn = 0; left-- > 0; turn += 1) await rotate(names[(first + turn * atOnce) % names.length] ?? "", "routine");
  };
  await Promise.all(Array.from({ length: atOnce }, (_, first) => lane(first)));
  return { ms: performance.now() - from, commits: commits - commitsBefore };
}

/** How many frames a rotation writes: seen from an empty log that is not folded back meanwhile. */
async function weigh(rotations: number): Promise<EngineReady> {
  db.pragma("wal_checkpoint(truncate)");
  db.pragma("wal_autocheckpoint = 0");
  const { commits: written } = await rotateAll({ rotations, atOnce: 1 });
  const frames = statSync(`${path}-wal`).size / FRAME_BYTES;
  db.pragma("wal_autocheckpoint = 1000");
  return { commitsPerRotation: written / rotations, pagesPerCommit: frames / written };
}

for (const name of names) await rotate(name, "initial");
await rotateAll({ rotations: WARM_UP, atOnce: CREDENTIALS });
await serveRounds<EngineRound>(await weigh(50), rotateAll);
await engine.stop();
db.close();
