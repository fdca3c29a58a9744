import { defineConfig } from "vitest/config";
import { CountReporter } from "./test/tools/count-reporter.ts";

/** Tests that start whole programs: one file after the other, when the quick ones are done, so that none is starved. */
const HEAVY = [
  "test/kill/**/*.test.ts",
  "test/systemd/**/*.test.ts",
  "test/end-to-end/**/*.test.ts",
  "test/contract/consumer.test.ts",
  "test/contract/mirror-real.test.ts",
  "test/adapters/openclaw-real.test.ts",
  "test/demo.test.ts",
  "test/rotation/admin-credentials.test.ts",
];
const PEERS = "**/node_modules/**";
/** Run with `npm run test:peers`. */
const COMPARED = "test/compared/**";

export default defineConfig({
  test: {
    testTimeout: 90_000,
    hookTimeout: 120_000,
    maxConcurrency: 5,
    reporters: ["default", new CountReporter()],
    projects: [
      {
        extends: true,
        test: {
          name: "quick",
          include: ["test/**/*.test.ts"],
          exclude: [PEERS, COMPARED, ...HEAVY],
          maxWorkers: 3,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: { name: "heavy", include: HEAVY, exclude: [PEERS], maxWorkers: 1, fileParallelism: false, sequence: { groupOrder: 1 } },
      },
    ],
  },
});
