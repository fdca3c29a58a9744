import { writeFileSync } from "node:fs";
import { stringify } from "yaml";
import type { Consumer } from "./consumer.ts";
import type { Stage } from "./stage.ts";
import type { Store } from "./stores.ts";
import type { Vendor } from "./vendor.ts";

/** The one credential of the demo. */
export const NAME = "demo";
/** What was made shorter for the demo, in words; the defaults are in docs/configuration.md. */
export const SHORTENED = "a new key is tried for 2 s, an old one for 2 s, and the vendor's listings lag 1 s at most";

/** The real daemon with a configuration of its own, and the real rotatectl for it. */
export interface Rotated {
  readonly pid: number | undefined;
  readonly readyMs: number;
  /** Runs rotatectl as a person would; answers its exit code, and what it printed if that was to be captured. */
  rotatectl(args: readonly string[], options?: RunOptions): Promise<{ readonly code: number | null; readonly output: string }>;
}

export interface RunOptions {
  readonly capture?: boolean;
  /** What is pasted. */
  readonly input?: string;
}

export async function startDaemon(stage: Stage, vendor: Vendor, store: Store, consumer: Consumer): Promise<Rotated> {
  const config = stage.path("rotated.yaml");
  writeFileSync(config, stringify(configuration(stage, vendor, store, consumer)));
  const { pid, ready: readyMs } = await stage.start("rotated", ["bin/rotated", "--config", config], {
    says: "stderr",
    ready: (line) => {
      const { msg, readyMs } = JSON.parse(line) as { msg: string; readyMs?: number };
      return msg === "ready" ? readyMs : undefined;
    },
  });
  const env = { ROTATED_SOCKET: stage.path("control.sock") };
  return { pid, readyMs, rotatectl: (args, options) => stage.run(["bin/rotatectl", ...args], { env, ...options }) };
}

function configuration(stage: Stage, { type, settings }: Vendor, { file, settings: kept, place }: Store, { config, use }: Consumer) {
  return {
    stateDirectory: stage.path("state"),
    socket: stage.path("control.sock"),
    resolveSocket: resolveSocket(stage),
    providers: { [type]: { type, ...settings } },
    stores: { kept },
    consumers: { app: config },
    credentials: {
      [NAME]: {
        provider: type,
        store: { use: "kept", ...place },
        consumers: [{ use: "app", ...use }],
        ...(file === undefined && { resolve: [{ user: process.getuid?.() ?? 0 }] }),
        every: "30d",
      },
    },
    timing: {
      verify: { times: 3, over: "2s", deadline: "30s" },
      confirm: { times: 3, apart: "1s", limit: "1m" },
      waits: ["200ms", "500ms", "1s"],
      poll: "100ms",
    },
  };
}

/** In the directory of the consumer: it is the only one of /tmp that OpenClaw sees. */
export const resolveSocket = (stage: Stage) => stage.path("app/resolve.sock");
