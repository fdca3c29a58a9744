import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { AdapterError } from "../src/contract/errors.ts";
import { openLog } from "../src/log.ts";
import type { PlugSession } from "../src/plugs.ts";
import { createSessionKeeper } from "../src/sessions.ts";
import { realClock } from "../src/world/clock.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A keeper of sessions that answer as told, one answer after the other; the last one stays. */
function kept(...sessions: (number | undefined | Error)[][]) {
  const logged: Record<string, unknown>[] = [];
  const asked = sessions.map(() => 0);
  const log = openLog("info", { write: (line: string) => void logged.push(JSON.parse(line)) });
  const plugs = sessions.map(
    (answers, index): PlugSession => ({
      user: { kind: "store", name: `store-${index}` },
      async keep() {
        const answer = answers[Math.min(asked[index] ?? 0, answers.length - 1)];
        asked[index] = (asked[index] ?? 0) + 1;
        if (answer instanceof Error) throw answer;
        return answer;
      },
    }),
  );
  const timing = { callTimeoutMs: 30_000, waitsMs: [MINUTE, 10 * MINUTE] };
  // biome-ignore lint/suspicious/noExplicitAny: of the timing it asks for these two
  const keeper = createSessionKeeper({ clock: realClock, config: () => ({ timing }) as any, sessions: () => plugs, log });
  keeper.refresh();
  return { keeper, asked, logged };
}

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

test("a session is asked again when it wants to be, each by itself", async () => {
  const { asked } = kept([20 * MINUTE], [30 * MINUTE]);
  await pass(HOUR);
  expect(asked).toEqual([4, 3]);
});

test("a session that never runs out is asked once", async () => {
  const { asked } = kept([undefined]);
  await pass(48 * HOUR);
  expect(asked).toEqual([1]);
});

test("a session is never left alone for longer than an hour, whatever it wants", async () => {
  const { asked } = kept([720 * HOUR]);
  await pass(10 * HOUR);
  expect(asked).toEqual([11]);
});

describe("one that fails", () => {
  const down = new AdapterError("unreachable", "vault store: renew our token: no answer", { cure: "look at url" });

  test("is tried again as the waits say, is told, and disturbs no other", async () => {
    const { asked, logged } = kept([down, down, down, 30 * MINUTE], [HOUR]);
    await pass(0);
    expect(asked).toEqual([1, 1]);
    await pass(MINUTE);
    expect(asked).toEqual([2, 1]);
    await pass(10 * MINUTE);
    await pass(10 * MINUTE);
    expect(asked).toEqual([4, 1]);
    expect(logged.map(({ level, store, retryInMs }) => ({ level, store, retryInMs }))).toEqual(
      [MINUTE, 10 * MINUTE, 10 * MINUTE].map((retryInMs) => ({ level: "warn", store: "store-0", retryInMs })),
    );
    expect(JSON.stringify(logged[0])).toContain("look at url");
    await pass(31 * MINUTE);
    expect(asked[0], "as it wants again").toBe(5);
  });

  test("waits for as long as the other side asks for", async () => {
    const { asked } = kept([new AdapterError("rateLimited", "too many", { retryAfterMs: 5 * MINUTE })]);
    await pass(4 * MINUTE);
    expect(asked).toEqual([1]);
    await pass(MINUTE);
    expect(asked).toEqual([2]);
  });
});

test("a new configuration's sessions take the place of those before, and stopping leaves no timer", async () => {
  const { keeper, asked } = kept([20 * MINUTE]);
  await pass(10 * MINUTE);
  keeper.refresh();
  await pass(MINUTE);
  expect(asked).toEqual([2]);
  await pass(10 * MINUTE);
  expect(asked, "the first one is not asked any more").toEqual([2]);
  await keeper.stop();
  await pass(HOUR);
  expect(asked).toEqual([2]);
});
