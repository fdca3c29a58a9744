import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { installPeer } from "../scripts/peers.ts";
import { Hinted, showing } from "./screen.ts";
import type { Stage } from "./stage.ts";

/** The real programs of the demo, and how long the first time takes. */
const PEERS = {
  openclaw: { title: "OpenClaw", firstTime: "30 to 45 s", python: false },
  openbao: { title: "OpenBao", firstTime: "10 to 20 s", python: true },
  moto: { title: "moto", firstTime: "30 s to 2 min", python: true },
  "any-llm": { title: "the any-llm gateway", firstTime: "30 s to 2 min", python: true },
} as const;

export type PeerName = keyof typeof PEERS;

/** Installs what is not in the cache yet, and says so. */
export async function installPeers(stage: Stage, names: readonly PeerName[]): Promise<void> {
  const inPython = names.filter((name) => PEERS[name].python);
  if (inPython.length > 0) await mustHavePython(inPython.map((name) => PEERS[name].title).join(" and "), stage.signal);
  for (const name of names) {
    const { title, firstTime } = PEERS[name];
    await showing(`installing ${title} (once; ${firstTime} when it is not in the cache yet)`, installPeer(name, stage.signal));
  }
}

async function mustHavePython(what: string, signal: AbortSignal): Promise<void> {
  try {
    await promisify(execFile)("python3", ["-c", "import ensurepip, venv"], { signal });
  } catch (error) {
    signal.throwIfAborted();
    const missing = (error as NodeJS.ErrnoException).code === "ENOENT" ? "which is not there" : "with its modules venv and ensurepip";
    throw new Hinted(
      `${what} needs python3, ${missing}`,
      "on Debian: apt install python3 python3-venv; `npm run demo` alone needs neither",
    );
  }
}
