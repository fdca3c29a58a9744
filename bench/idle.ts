import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { hostWith, timedStart } from "./hosts.ts";
import { emptyNode, pidOf, residentMb, usedBy } from "./process.ts";
import type { Measured } from "./report.ts";
import { figure } from "./stats.ts";

/** How long a daemon may settle before it counts as idle. */
const SETTLE_MS = 5000;

/** Memory after one rotation, idle again. */
export async function measureMemory(): Promise<readonly Measured[]> {
  const made = await hostWith(100);
  const empty = emptyNode();
  try {
    await made.host.start({ env: { LOG_LEVEL: "info", ...unitEnvironment() } });
    const fresh = residentMb(pidOf(made.host.daemon));
    await made.host.client.call("pair", { consumer: "gateway" });
    await made.host.client.call("adopt", { name: "main" });
    const { id } = await made.rotate();
    const { outcome, lastError } = await made.host.settled(id);
    if (outcome !== "done") throw new Error(`the rotation ended ${outcome}: ${lastError}`);
    await sleep(SETTLE_MS);
    const value = residentMb(pidOf(made.host.daemon));
    const peer = { name: "empty node", value: residentMb(pidOf(empty)) };
    return [
      {
        what: "memory (RSS), 100 credentials, after a rotation",
        value,
        unit: "MB",
        target: { most: 110 },
        peer,
        note: `${figure(fresh)} MB when it was ready`,
      },
    ];
  } finally {
    empty.kill("SIGKILL");
    await made.stop();
  }
}

/** The environment that the shipped unit gives the daemon: two settings of it are about memory. */
function unitEnvironment(): Readonly<Record<string, string>> {
  const unit = readFileSync(new URL("../systemd/rotated.service", import.meta.url), "utf8");
  const settings = /^Environment=(.*)$/m.exec(unit)?.[1]?.split(" ") ?? [];
  return Object.fromEntries(settings.map((setting) => [setting.slice(0, setting.indexOf("=")), setting.slice(setting.indexOf("=") + 1)]));
}

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
