import { afterEach, expect, test } from "vitest";
import { eventually } from "./bad-input/daemon.ts";
import { RotationHost } from "./support/rotation-host.ts";

let host: RotationHost;
afterEach(() => host.stop());

test("a credential with `every` rotates by itself, again and again, and over a restart", { timeout: 90_000 }, async () => {
  host = await RotationHost.start({ credential: { every: "3s", overlap: "0s" }, timing: { spread: "100ms" } });
  const done = async (n: number) =>
    await eventually(
      async () => {
        const { events } = await host.host.client.call("history", { name: "main", limit: 1000 });
        const ended = events.filter(({ code, detail }) => code === "ended" && detail["outcome"] === "done");
        return ended.length >= n
          ? { ended: ended.toReversed(), started: events.filter(({ code }) => code === "started").toReversed() }
          : undefined;
      },
      `there were no ${n} rotations`,
      30_000,
    );

  const { ended, started } = await done(2);
  for (const { detail } of started) expect(detail).toMatchObject({ trigger: "schedule", actor: null, plan: "routine" });
  expect((started[1]?.at ?? 0) - (ended[0]?.at ?? 0), "counted from the end of the one before").toBeGreaterThanOrEqual(3000);

  await host.host.end();
  await host.host.start();
  const after = await done(3);
  expect((after.started[2]?.at ?? 0) - (after.ended[1]?.at ?? 0), "still counted from the last that was done").toBeGreaterThanOrEqual(3000);
  expect(host.liveKeys().length).toBeLessThanOrEqual(2);
});
