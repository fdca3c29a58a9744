import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { NetworkConfig } from "../../src/config/config.ts";
import { AdapterError } from "../../src/contract/errors.ts";
import { Secret } from "../../src/contract/secret.ts";
import type { DebugLog, World } from "../../src/contract/world.ts";
import { realClock } from "../../src/world/clock.ts";
import { realFiles } from "../../src/world/files.ts";
import { openNetwork } from "../../src/world/network.ts";
import { runCommand } from "../../src/world/run.ts";

export const PLAIN_NETWORK: NetworkConfig = { proxy: undefined, noProxy: [], ca: [], allowHttp: false };

/** The real world with secrets of its own, a state directory under the temporary one, and a way to end it. */
export interface TestWorld extends World {
  /** Every debug line of the network, as text. */
  readonly logged: readonly string[];
  close(): Promise<void>;
}

/** Secrets are looked up by the name in `{ credential: NAME }`. */
export async function testWorld(
  options: { secrets?: Readonly<Record<string, string>>; network?: Partial<NetworkConfig>; overrides?: Partial<World> } = {},
): Promise<TestWorld> {
  const stateDirectory = await mkdtemp(join(tmpdir(), "rotated-world-"));
  const logged: string[] = [];
  const log: DebugLog = (fields, message) => logged.push(JSON.stringify({ message, ...fields }));
  const network = openNetwork({ ...PLAIN_NETWORK, ...options.network }, { log });
  return {
    clock: realClock,
    random: randomBytes,
    http: network.http,
    exchange: network.exchange,
    files: realFiles,
    openWebSocket: network.openWebSocket,
    debug: network.debug,
    run: runCommand,
    async secret(reference) {
      const value = "credential" in reference ? options.secrets?.[reference.credential] : undefined;
      if (value === undefined) throw new AdapterError("misconfigured", `test: no secret ${JSON.stringify(reference)}`);
      return new Secret(value);
    },
    stateDirectory,
    ...options.overrides,
    logged,
    async close() {
      await network.close();
      rmSync(stateDirectory, { recursive: true, force: true });
    },
  };
}
