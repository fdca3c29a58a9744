import { defineConfig } from "vitest/config";
import { CountReporter } from "./test/tools/count-reporter.ts";

/** Compares the doubles of the tests with the real programs that can be run here. Not part of `npm test`: these take minutes to start. */
export default defineConfig({
  test: {
    include: ["test/compared/**/*.test.ts"],
    testTimeout: 120_000,
    hookTimeout: 900_000,
    fileParallelism: false,
    reporters: ["verbose", new CountReporter()],
  },
});
