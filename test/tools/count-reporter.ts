import type { Reporter, TestModule } from "vitest/node";

/** Ends the output with the plain count, skipped tests included. A file that could not be run counts as a failure. */
export class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly unknown[]): void {
    const count = { passed: 0, failed: unhandled.length, skipped: 0 };
    for (const module of modules) {
      const tests = [...module.children.allTests()];
      for (const test of tests) {
        const { state } = test.result();
        if (state === "pending") count.failed += 1;
        else count[state] += 1;
      }
      if (!module.ok() && !tests.some((test) => test.result().state === "failed")) count.failed += 1;
    }
    process.on("exit", () => process.stdout.write(`${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped\n`));
  }
}
