import { randomBytes } from "node:crypto";
import type { World } from "../../src/contract/world.ts";
import { realClock } from "../../src/world/clock.ts";
import { realFiles } from "../../src/world/files.ts";
import { runCommand } from "../../src/world/run.ts";
import { secretResolver } from "../../src/world/secrets.ts";

/** The real world without a network, for plugs that need none. */
export function realWorld(stateDirectory: string): World {
  return {
    clock: realClock,
    random: randomBytes,
    http: () => Promise.reject(new Error("no HTTP in this test")),
    exchange: () => Promise.reject(new Error("no HTTP in this test")),
    files: realFiles,
    openWebSocket: () => Promise.reject(new Error("no WebSocket in this test")),
    debug: () => {},
    run: runCommand,
    secret: secretResolver({ files: realFiles, env: {}, credentialsDirectory: stateDirectory }),
    stateDirectory,
  };
}
