import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { hostWith } from "./hosts.ts";
import { BIN, timeOf } from "./process.ts";
import type { Measured } from "./report.ts";
import { median } from "./stats.ts";

/** What a gateway with a key for each of ten providers asks for at once. */
const REFERENCES = 10;

/** How long a person waits for `rotatectl`, and a gateway for its keys. */
export async function measureCli(times: number): Promise<readonly Measured[]> {
  const made = await hostWith(100, {}, REFERENCES);
  const rotatectl = join(BIN, "rotatectl");
  const wrapper = made.host.path("rotated-resolve");
  const ids = Array.from({ length: REFERENCES }, (_, index) => `waiting-${index}`);
  const request = JSON.stringify({ protocolVersion: 1, provider: "rotated", ids });
  const env = { ROTATED_SOCKET: made.host.socket };
  const commands = {
    empty: () => timeOf(process.execPath, ["-e", "0"]),
    version: () => timeOf(rotatectl, ["--version"]),
    help: () => timeOf(rotatectl, ["--help"]),
    status: () => timeOf(rotatectl, ["status"], env),
    // As OpenClaw runs it: the wrapper, with an empty environment.
    resolve: () => timeOf(wrapper, [], { PATH: "" }, request),
  };
  const seen: Record<keyof typeof commands, number[]> = { empty: [], version: [], help: [], status: [], resolve: [] };
  try {
    await made.host.start();
    execFileSync(rotatectl, ["--socket", made.host.path("resolve.sock"), "resolve", "--install", wrapper], { stdio: "ignore" });
    const { values } = JSON.parse(execFileSync(wrapper, { input: request, encoding: "utf8", env: {} }));
    if (Object.keys(values).length !== REFERENCES) throw new Error("resolve did not give every value");
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
    {
      what: `rotatectl resolve, ${REFERENCES} references`,
      value: median(seen.resolve),
      unit: "ms",
      target: { most: 300 },
      peer,
      note: "the wrapper that --install wrote, with an empty environment; all values are in one file",
    },
  ];
}
