import { closeSync, fsyncSync, openSync, rmSync, statfsSync, writeSync } from "node:fs";
import { availableParallelism, cpus, loadavg, release, totalmem, type } from "node:os";
import { join } from "node:path";
import { median } from "./stats.ts";

/** What a figure depends on beside the program. */
export interface Machine {
  readonly at: string;
  readonly cores: number;
  readonly cpu: string;
  readonly memoryGb: number;
  readonly system: string;
  readonly node: string;
  /** Others at work on it: from about the number of cores on, times are worth little. */
  readonly load: number;
  /** Where the ledgers of the measurement are. */
  readonly directory: string;
  readonly fileSystem: string;
  /** To write 4 KiB and sync them: the median, and the 99th of a hundred. */
  readonly syncMs: number;
  readonly slowSyncMs: number;
}

const FILE_SYSTEMS: Readonly<Record<number, string>> = {
  61267: "ext4",
  1481003842: "xfs",
  2435016766: "btrfs",
  16914836: "tmpfs: NOT A DISK, name another with --directory",
  2035054128: "overlayfs",
  801189825: "zfs",
};

export function lookAtMachine(directory: string): Machine {
  const syncs = syncTimes(join(directory, "sync"), 500);
  return {
    at: new Date().toISOString().slice(0, 10),
    cores: availableParallelism(),
    cpu: cpus()[0]?.model.trim() ?? "unknown processor",
    memoryGb: totalmem() / 1e9,
    system: `${type()} ${release()}`,
    node: process.versions.node,
    load: loadavg()[0] ?? 0,
    directory,
    fileSystem: FILE_SYSTEMS[statfsSync(directory).type] ?? "unknown file system",
    syncMs: median(syncs),
    slowSyncMs: [...syncs].sort((one, other) => one - other)[Math.floor(syncs.length * 0.99)] ?? 0,
  };
}

/** A log that only grows, as the ledger's is: milliseconds of each write and sync. */
function syncTimes(path: string, count: number): readonly number[] {
  const file = openSync(path, "w");
  const page = Buffer.alloc(4096, 1);
  try {
    return Array.from({ length: count }, () => {
      const from = performance.now();
      writeSync(file, page);
      fsyncSync(file);
      return performance.now() - from;
    });
  } finally {
    closeSync(file);
    rmSync(path);
  }
}
