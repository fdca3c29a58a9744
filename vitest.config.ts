import { defineConfig } from "vitest/config";
import { CountReporter } from "./test/tools/count-reporter.ts";

/** Tests that fill two cores by themselves, or boot a system: one file after the other, so that none is starved. */
const ALONE = [
  "test/kill/**/*.test.ts",
  "test/systemd/**/*.test.ts",
  "test/end-to-end/{openclaw,own-store,shared-document,vault}.test.ts",
  "test/adapters/openclaw-real.test.ts",
  "test/demo.test.ts",
];
/** Tests of whole programs, which wait more than they compute: two files at a time. */
const REAL = [
  "test/end-to-end/**/*.test.ts",
  "test/contract/consumer.test.ts",
  "test/contract/mirror-real.test.ts",
  "test/rotation/admin-credentials.test.ts",
];
const PEERS = "**/node_modules/**";
/** Run with `npm run test:peers`. */
const COMPARED = "test/compared/**";

/** The projects run one after the other. */
const project = (
  order: number,
  name: string,
  maxWorkers: number,
  more: { include: string[]; exclude: string[]; maxConcurrency?: number },
) => ({
  extends: true as const,
  test: { name, maxWorkers, fileParallelism: maxWorkers > 1, sequence: { groupOrder: order }, ...more },
});

export default defineConfig({
  test: {
    testTimeout: 90_000,
    hookTimeout: 120_000,
    maxConcurrency: 5,
    globalSetup: "test/support/process-groups.ts",
    reporters: ["default", new CountReporter()],
    projects: [
      project(0, "quick", 3, { include: ["test/**/*.test.ts"], exclude: [PEERS, COMPARED, ...REAL, ...ALONE] }),
      project(1, "real", 2, { include: REAL, exclude: [PEERS, ...ALONE] }),
      // Seven daemons that wait for each other's disk and their own timers fill two cores, and starve nobody.
      project(2, "alone", 1, { include: ALONE, exclude: [PEERS], maxConcurrency: 7 }),
    ],
  },
});
