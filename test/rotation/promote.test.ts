import { describe, expect, test } from "vitest";
import { promote } from "../../src/rotation/steps/promote.ts";
import { key, memoryContext, NOW, scene } from "./memory-context.ts";

/** A rotation that is about to make key 2 the current one, in a world that goes on to show key 1 whatever is written. */
function stale(where: { readonly mirrors?: readonly number[]; readonly stored: number }, attempts: number) {
  const { context } = memoryContext(scene({ old: key(1), target: key(2, { stage: "pending", promotedAt: null }), kept: [1, 2], ...where }));
  let writes = 0;
  const count = async () => {
    writes += 1;
  };
  const rotation = { ...context.rotation, step: "promote" as const, attempts };
  const mirrors = context.mirrors.map((plug) => ({ ...plug, mirror: { ...plug.mirror, write: count } }));
  return { context: { ...context, rotation, mirrors, store: { ...context.store, promote: count } }, writes: () => writes };
}

describe("a place that does not show what was just written: each further try is a write", () => {
  test.each([
    ["the store", { stored: 1 }],
    ["a mirror", { stored: 2, mirrors: [1] }],
  ])("%s is given more and more time", async (_, where) => {
    const waits = [];
    for (const attempts of [0, 1, 2]) {
      const { context, writes } = stale(where, attempts);
      const answer = await promote(context);
      expect(answer).toMatchObject({ go: "again", problem: { code: "notHeld" } });
      expect(writes()).toBe(1);
      waits.push("at" in answer ? (answer.at ?? NOW) - NOW : undefined);
    }
    const { waitsMs } = memoryContext(scene()).context.timing;
    expect(waits).toEqual([0, 1, 2].map((attempts) => waitsMs[Math.min(attempts, waitsMs.length - 1)]));
    expect(waits[0]).toBeGreaterThan(0);
  });
});

describe("a place that holds it already, because a try before was cut off right after the write", () => {
  /** How often the store and the mirror are asked to write what they hold. */
  async function asked(promotedAt: number | null, kept: readonly number[] = [1, 2]) {
    const target = key(2, { stage: "pending", promotedAt });
    const { context } = memoryContext(scene({ old: key(1), target, kept, stored: 2, mirrors: [2] }));
    const writes: string[] = [];
    const store = { ...context.store, promote: async (version: string) => void writes.push(`store ${version}`) };
    const mirrors = context.mirrors.map((plug) => ({ ...plug, mirror: { ...plug.mirror, write: async () => void writes.push("mirror") } }));
    const answer = await promote({ ...context, rotation: { ...context.rotation, step: "promote" }, store, mirrors });
    expect(answer).toMatchObject({ go: "next" });
    return writes;
  }

  test("is asked once more, so that it does what stands beside the value: notes, labels", async () => {
    expect(await asked(NOW - 10)).toEqual(["store version-2", "mirror"]);
  });

  test("is left alone when nothing was begun, and the store when the kept value is gone", async () => {
    expect(await asked(null)).toEqual([]);
    expect(await asked(NOW - 10, [1])).toEqual(["mirror"]);
  });
});
