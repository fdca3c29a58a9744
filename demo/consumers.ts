import { writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { installPeer } from "../scripts/peers.ts";
import { type Load, startLoad } from "../test/support/load.ts";
import { freePort, GATEWAY_TOKEN, makeRealGateway, openclawJson } from "../test/support/openclaw.ts";
import { screen, showing } from "./screen.ts";
import type { Stage } from "./stage.ts";
import { MODEL, type Vendor } from "./vendor.ts";

/** The program that uses the key, and people who use that program. */
export interface Consumer {
  /** What stands under `consumers.app` in the configuration. */
  readonly config: object;
  /** What stands in the credential's list of consumers, beside `use`. */
  readonly use: object;
  /** It wants to be introduced with `rotatectl pair`. */
  readonly pairs: boolean;
  /** Users who ask without end, four at a time. */
  startLoad(): Load;
}

const CLIENTS = 4;
const STAND_IN = fileURLToPath(new URL("../test/fakes/stand-in-consumer.ts", import.meta.url));

/** A small program that reads its key from the store, and again when it is told to. */
export async function startStandIn(stage: Stage, vendor: Vendor, secretFile: string): Promise<Consumer> {
  const socket = stage.path("app.sock");
  const place = [
    "--secret",
    secretFile,
    "--field",
    "/openai/apiKey",
    "--socket",
    socket,
    "--vendor",
    new URL(vendor.url).origin,
    "--model",
    MODEL,
  ];
  const { ready } = await stage.start("app", [process.execPath, STAND_IN, "serve", ...place], {
    says: "stdout",
    ready: (line) => JSON.parse(line) as { port: number },
  });
  const command = (action: string) => [process.execPath, STAND_IN, action, "--socket", socket];
  screen.fact("consumer", "a small program that calls the vendor with that key, all the time");
  return {
    config: { type: "command", reload: command("reload"), validate: command("validate") },
    use: {},
    pairs: false,
    startLoad: () => askWithoutEnd(`http://127.0.0.1:${ready.port}/`),
  };
}

/** A real OpenClaw gateway with two agents, in a directory of its own. */
export async function startOpenClaw(stage: Stage, vendor: Vendor, secretFile: string): Promise<Consumer> {
  const agents = ["main", "helper"];
  await showing("installing OpenClaw (once; 30 to 45 s when it is not in the cache yet)", installPeer("openclaw", stage.signal));
  const config = openclawJson({ vendor: vendor.url, secretFile, port: await freePort(), agents });
  const gateway = await makeRealGateway(config, dirname(secretFile));
  stage.signal.throwIfAborted();
  stage.defer(() => gateway.stop());
  await showing("starting OpenClaw (10 to 25 s)", gateway.start());
  writeFileSync(stage.path("gateway-token"), GATEWAY_TOKEN, { mode: 0o600 });
  screen.fact("consumer", `a real OpenClaw gateway, ${gateway.url}, with the agents ${agents.join(" and ")}`);
  return {
    config: { type: "openclaw", url: gateway.url, token: { file: stage.path("gateway-token") } },
    use: { provider: "openai" },
    pairs: true,
    startLoad: () => startLoad({ http: gateway.http, token: GATEWAY_TOKEN, agents, clients: CLIENTS, pauseMs: 50 }),
  };
}

/** Clients that make one request after the other. */
function askWithoutEnd(url: string): Load {
  const load = { served: 0, failed: 0, failures: [] as string[], stop };
  let going = true;
  const running = Array.from({ length: CLIENTS }, client);
  return load;

  async function client(): Promise<void> {
    while (going) {
      const failure = await fetch(url, { method: "POST" }).then(
        ({ ok, status }) => (ok ? undefined : `status ${status}`),
        () => "no answer",
      );
      if (failure === undefined) load.served += 1;
      else {
        load.failed += 1;
        load.failures.push(failure);
        await sleep(50);
      }
    }
  }

  async function stop(): Promise<void> {
    going = false;
    await Promise.all(running);
  }
}
