import { expect, test } from "vitest";
import { openClient } from "../../src/cli/client.ts";
import { expectPromisesHold } from "./invariants.ts";
import { KillHost, nameOf, type Point } from "./kill-host.ts";

const POINTS: readonly Point[] = [1, 2].flatMap((n) => (["before", "after"] as const).map((when) => ({ at: "commit", when, n }) as const));

/** What was resumed goes on after a restart, also where nobody says it again and where somebody does. */
test.concurrent.each(POINTS.map((point) => ({ point, title: nameOf(point) })))(
  "SIGKILL of the daemon while it resumes: $title",
  { timeout: 120_000 },
  async ({ point }) => {
    const host = await KillHost.start();
    const { inner } = host;
    const say = (word: "pause" | "resume") => openClient(inner.host.socket).call(word, { name: "main" });
    try {
      await host.launch(point);
      await say("pause").then(() => say("resume"));
      const rotation = await inner.rotate();
      await say("pause");
      await expect
        .poll(async () => (await inner.host.show("main")).open?.dueAt ?? 0, { timeout: 20_000 })
        .toBeGreaterThan(Date.now() + 600_000);
      host.arm();
      await say("resume").catch(() => undefined);
      expect(await host.killedOrOver()).toBe("killed");
      await host.relaunch();
      await say("resume");
      await expectPromisesHold(inner, await inner.host.settled(rotation.id, 30_000), "made");
    } finally {
      await host.stop();
    }
  },
);
