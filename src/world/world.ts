import { randomBytes } from "node:crypto";
import type { World } from "../contract/world.ts";
import { realClock } from "./clock.ts";
import { realFiles } from "./files.ts";
import type { Network } from "./network.ts";
import { runCommand } from "./run.ts";
import { secretResolver } from "./secrets.ts";

/** The real world, as plugs see it. */
export function openWorld({ http, openWebSocket }: Pick<Network, "http" | "openWebSocket">, stateDirectory: string): World {
  return {
    clock: realClock,
    random: randomBytes,
    http,
    openWebSocket,
    files: realFiles,
    run: runCommand,
    secret: secretResolver({ files: realFiles, env: process.env }),
    stateDirectory,
  };
}
