import { writeFileSync } from "node:fs";
import { stringify } from "yaml";
import type { Consumer } from "./consumers.ts";
import type { Stage } from "./stage.ts";
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
  rotatectl(args: readonly string[], capture?: boolean): Promise<{ readonly code: number | null; readonly output: string }>;
}

export async function startDaemon(stage: Stage, vendor: Vendor, consumer: Consumer, secretFile: string): Promise<Rotated> {
  const config = stage.path("rotated.yaml");
  writeFileSync(stage.path("openai-admin"), vendor.adminKey, { mode: 0o600 });
  writeFileSync(config, stringify(configuration(stage, vendor, consumer, secretFile)));
  const { pid, ready: readyMs } = await stage.start("rotated", ["bin/rotated", "--config", config], {
    says: "stderr",
    ready: (line) => {
      const { msg, readyMs } = JSON.parse(line) as { msg: string; readyMs?: number };
      return msg === "ready" ? readyMs : undefined;
    },
  });
  const env = { ROTATED_SOCKET: stage.path("control.sock") };
  return { pid, readyMs, rotatectl: (args, capture = false) => stage.run(["bin/rotatectl", ...args], { env, capture }) };
}

function configuration(stage: Stage, { url, project }: Vendor, { config, use }: Consumer, secretFile: string) {
  return {
    stateDirectory: stage.path("state"),
    socket: stage.path("control.sock"),
    providers: {
      openai: {
        type: "openai",
        baseUrl: url,
        project,
        adminKey: { file: stage.path("openai-admin") },
        listLag: "200ms",
        lastUsedLag: "1s",
        lastUsedPrecision: "1ms",
      },
    },
    stores: { local: { type: "file" } },
    consumers: { app: config },
    credentials: {
      [NAME]: {
        provider: "openai",
        store: { use: "local", path: secretFile, field: "/openai/apiKey" },
        consumers: [{ use: "app", ...use }],
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
