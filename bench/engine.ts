import { chmod, chown, cp, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { installPeer } from "../scripts/peers.ts";
import type { Measured } from "./report.ts";
import { median } from "./stats.ts";
import { Worker } from "./worker.ts";

export interface EngineRound {
  readonly rotations: number;
  readonly atOnce: number;
}
export interface RoundTime {
  readonly ms: number;
}
export interface EngineAnswer extends RoundTime {
  readonly commits: number;
}
export interface EngineReady {
  readonly commitsPerRotation: number;
  readonly pagesPerCommit: number;
}
export interface DiskRound {
  readonly commits: number;
  readonly pagesPerCommit: number;
}

const ENGINE = fileURLToPath(new URL("engine-worker.ts", import.meta.url));
const DISK = fileURLToPath(new URL("disk-worker.ts", import.meta.url));
const PEER = fileURLToPath(new URL("../test/peers/dbos/worker.mjs", import.meta.url));
/** The user `nobody`: Postgres does not run as root. */
const NOBODY = 65_534;

/** Rotations per second of the engine alone, beside the bare disk and beside a workflow engine, in turns. */
export async function measureEngine(options: { directory: string; rounds: number; rotations: number }): Promise<readonly Measured[]> {
  const { directory, rounds, rotations } = options;
  const engine = await Worker.start<EngineReady, EngineRound, EngineAnswer>(ENGINE, [directory]);
  const disk = await Worker.start<unknown, DiskRound, RoundTime>(DISK, [directory]);
  const dbos = await startDbos(directory);
  const { pagesPerCommit, commitsPerRotation } = engine.ready;
  try {
    const figures: Measured[] = [];
    for (const atOnce of [1, 16]) {
      const seen: { rate: number; share: number; diskRate: number; dbosRate: number; beside: number }[] = [];
      for (let round = 0; round < rounds; round += 1) {
        const ours = await engine.round({ rotations, atOnce });
        const bare = await disk.round({ commits: ours.commits, pagesPerCommit });
        const theirs = await dbos.round({ rotations, atOnce });
        const rate = (1000 * rotations) / ours.ms;
        const dbosRate = (1000 * rotations) / theirs.ms;
        seen.push({ rate, share: (100 * bare.ms) / ours.ms, diskRate: (1000 * rotations) / bare.ms, dbosRate, beside: rate / dbosRate });
      }
      const middle = (pick: (one: (typeof seen)[number]) => number) => median(seen.map(pick));
      const how = atOnce === 1 ? "one at a time" : `${atOnce} at once`;
      const rate = middle(({ rate }) => rate);
      figures.push(
        {
          what: `engine, ${how}: share of the disk's commits`,
          value: middle(({ share }) => share),
          unit: "%",
          target: { least: 60 },
        },
        {
          what: `engine, ${how}`,
          value: rate,
          unit: "rotations/s",
          peer: { name: "bare commits", value: middle(({ diskRate }) => diskRate) },
        },
        {
          what: `engine, ${how}`,
          value: rate,
          unit: "rotations/s",
          peer: { name: "DBOS on Postgres", value: middle(({ dbosRate }) => dbosRate) },
          note: `${commitsPerRotation} commits of ${pagesPerCommit.toFixed(1)} pages a rotation; medians of ${rounds} rounds of ${rotations}, in turns; the ratio of the pairs' medians is ${middle(({ beside }) => beside).toFixed(2)}`,
        },
      );
    }
    return figures;
  } finally {
    await Promise.all([engine.stop(), disk.stop(), dbos.stop()]);
  }
}

/** The peer runs from a copy that `nobody` can read, so that root does not have to make a user for Postgres. */
async function startDbos(directory: string): Promise<Worker<unknown, EngineRound, RoundTime>> {
  const home = join(directory, "dbos");
  await mkdir(home);
  await cp(await installPeer("dbos"), home, { recursive: true, verbatimSymlinks: true });
  await cp(PEER, join(home, "worker.mjs"));
  const data = join(home, "data");
  await mkdir(data);
  const root = process.getuid?.() === 0;
  if (root) {
    await chmod(directory, 0o711);
    await chmod(home, 0o755);
    await chown(data, NOBODY, NOBODY);
  }
  return Worker.start(join(home, "worker.mjs"), [data], { cwd: data, ...(root && { uid: NOBODY, gid: NOBODY }) });
}
