import { join } from "node:path";
import { hostWith } from "./hosts.ts";
import { BIN, timeOf } from "./process.ts";
import type { Measured } from "./report.ts";
import { median } from "./stats.ts";

/** How long a person waits for `rotatectl`. */
export async function measureCli(times: number): Promise<readonly Measured[]> {
  const made = await hostWith(100);
  const rotatectl = join(BIN, "rotatectl");
  const env = { ROTATED_SOCKET: made.host.socket };
  const commands = {
    empty: () => timeOf(process.execPath, ["-e", "0"]),
    version: () => timeOf(rotatectl, ["--version"]),
    help: () => timeOf(rotatectl, ["--help"]),
    status: () => timeOf(rotatectl, ["status"], env),
  };
  const seen: Record<keyof typeof commands, number[]> = { empty: [], version: [], help: [], status: [] };
  try {
    await made.host.start();
    for (let time = 0; time < times; time += 1) {
      for (const name of Object.keys(seen) as (keyof typeof commands)[]) seen[name].push(await commands[name]());
    }
  } finally {
    await made.stop();
  }
  const peer = { name: "node -e 0", value: median(seen.empty) };
  return [
    { what: "rotatectl --version", value: median(seen.version), unit: "ms", peer },
    { what: "rotatectl --help", value: median(seen.help), unit: "ms", target: { most: 60 }, peer },
    { what: "rotatectl status, 100 credentials", value: median(seen.status), unit: "ms", target: { most: 100 }, peer },
  ];
}
