import { randomBytes } from "node:crypto";
import type { Secret } from "../contract/secret.ts";
import type { World } from "../contract/world.ts";
import { realClock } from "./clock.ts";
import { realFiles } from "./files.ts";
import type { Network } from "./network.ts";
import { runCommand } from "./run.ts";
import { secretResolver } from "./secrets.ts";

/** The real world, as plugs see it. */
export function openWorld(
  { http, exchange, openWebSocket, debug }: Omit<Network, "close">,
  stateDirectory: string,
  store?: (credential: string) => Promise<Secret>,
): World {
  return {
    clock: realClock,
    random: randomBytes,
    http,
    exchange,
    openWebSocket,
    debug,
    files: realFiles,
    run: runCommand,
    secret: secretResolver({ files: realFiles, env: process.env, ...(store && { store }) }),
    stateDirectory,
  };
}
