import { randomBytes } from "node:crypto";
import { realClock } from "../../src/clock.ts";
import type { World } from "../../src/contract/world.ts";
import { realFiles } from "../../src/files.ts";
import { runCommand } from "../../src/run.ts";
import { secretResolver } from "../../src/secrets.ts";

/** The real world without a network, for plugs that need none. */
export function realWorld(stateDirectory: string): World {
  return {
    clock: realClock,
    random: randomBytes,
    http: () => Promise.reject(new Error("no HTTP in this test")),
    files: realFiles,
    openWebSocket: () => {
      throw new Error("no WebSocket in this test");
    },
    run: runCommand,
    secret: secretResolver({ files: realFiles, env: {}, credentialsDirectory: stateDirectory }),
    stateDirectory,
  };
}
