import { expect, test } from "vitest";
import { openBench } from "./run.ts";

test("after pair stands each consumer once, and not rotated itself, which is no name of the configuration", async () => {
  await using bench = await openBench();
  const used = [
    ["gateway", "rotated itself"],
    ["gateway", "second"],
  ];
  bench.control.credentials = bench.control.credentials.map((credential, index) => ({ ...credential, consumers: used[index] ?? [] }));
  expect((await bench.run(["__complete", "--", "pair", ""])).stdout).toBe("gateway\nsecond");
});
