import { setTimeout as sleep } from "node:timers/promises";
import { hostWith, timedStart } from "./hosts.ts";
import { emptyNode, pidOf, residentMb, usedBy } from "./process.ts";
import type { Measured } from "./report.ts";
import { figure } from "./stats.ts";

/** How long a daemon may settle before it counts as idle: V8 cleans up after the start once, some eight seconds after it. */
const SETTLE_MS = 15_000;

/** What ten thousand credentials cost while none is due. */
export async function measureIdle(seconds: number): Promise<readonly Measured[]> {
  const made = await hostWith(10_000);
  const empty = emptyNode();
  try {
    const { outsideMs } = await timedStart(made.host);
    await sleep(SETTLE_MS);
    const [ours, theirs] = [pidOf(made.host.daemon), pidOf(empty)];
    const before = [usedBy(ours), usedBy(theirs)] as const;
    await sleep(seconds * 1000);
    const after = [usedBy(ours), usedBy(theirs)] as const;
    const percent = (which: 0 | 1) => (after[which].cpuMs - before[which].cpuMs) / (seconds * 10);
    const wakes = (which: 0 | 1) => (after[which].sleeps - before[which].sleeps) / seconds;
    const note = `over ${seconds} s, all threads; it was ready after ${figure(outsideMs)} ms and holds ${figure(residentMb(ours))} MB`;
    return [
      {
        what: "10 000 credentials, idle: processor",
        value: percent(0),
        unit: "%",
        target: { most: 0.1 },
        peer: { name: "empty node", value: percent(1) },
        note,
      },
      {
        what: "10 000 credentials, idle: wake-ups",
        value: wakes(0),
        unit: "/s",
        target: { most: 1 },
        peer: { name: "empty node", value: wakes(1) },
      },
    ];
  } finally {
    empty.kill("SIGKILL");
    await made.stop();
  }
}
