import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { RotationHost } from "../test/support/rotation-host.ts";
import { hostWith, timedStart, unitEnvironment } from "./hosts.ts";
import { BIN, timeOf } from "./process.ts";
import type { Measured } from "./report.ts";
import { median } from "./stats.ts";

/** How long `verify` waits between its questions: long enough to be killed in between. */
const GAP_MS = 200;

/** How soon a daemon is ready, and goes on with a rotation that was killed. */
export async function measureStart(times: number): Promise<readonly Measured[]> {
  const host = await hostWith(1, { verify: { times: 2, over: `${GAP_MS}ms`, deadline: "10s" } });
  const many = await hostWith(100);
  const empty: number[] = [];
  const version: number[] = [];
  const ready: { outsideMs: number; ownMs: number }[] = [];
  const readyWithMany: number[] = [];
  const resumed: number[] = [];
  try {
    await host.host.start();
    await host.host.client.call("pair", { consumer: "gateway" });
    await host.host.client.call("adopt", { name: "main" });
    await host.host.end();
    for (let time = 0; time < times; time += 1) {
      empty.push(await timeOf(process.execPath, ["-e", "0"]));
      version.push(await timeOf(join(BIN, "rotated"), ["--version"]));
      ready.push(await timedStart(host.host));
      resumed.push(await killedAndResumed(host));
      await host.host.end();
      readyWithMany.push((await timedStart(many.host)).outsideMs);
      await many.host.end();
    }
  } finally {
    await Promise.all([host.stop(), many.stop()]);
  }
  const peer = { name: "node -e 0", value: median(empty) };
  return [
    {
      what: "daemon ready, from outside",
      value: median(ready.map(({ outsideMs }) => outsideMs)),
      unit: "ms",
      target: { most: 400 },
      peer,
      note: "from before the exec to the line in its log",
    },
    { what: "daemon ready, in its own words", value: median(ready.map(({ ownMs }) => ownMs)), unit: "ms", target: { most: 400 }, peer },
    { what: "daemon ready, 100 credentials", value: median(readyWithMany), unit: "ms", peer },
    { what: "rotated --version", value: median(version), unit: "ms", peer },
    {
      what: "rotation resumed after kill -9",
      value: median(resumed),
      unit: "ms",
      target: { most: 300 },
      peer,
      note: "from before the exec to the first request of the rotation at the vendor",
    },
  ];
}

/** The daemon runs: kills it in the middle of a rotation, and starts it again. */
async function killedAndResumed({ host, vendor }: RotationHost): Promise<number> {
  const { id } = await host.rotate("main");
  for (let step = ""; step !== "verify"; await sleep(5)) step = (await host.show("main")).open?.step ?? "";
  await host.end("SIGKILL");
  await sleep(GAP_MS + 50);

  const asked = Promise.withResolvers<number>();
  vendor.onRequest = () => asked.resolve(performance.now());
  const from = performance.now();
  host.launch({ env: { LOG_LEVEL: "info", ...unitEnvironment(host) } });
  const at = await asked.promise;
  vendor.onRequest = undefined;
  await host.ready();
  const { outcome, lastError } = await host.settled(id);
  if (outcome !== "done") throw new Error(`the resumed rotation ended ${outcome}: ${lastError}`);
  return at - from;
}
