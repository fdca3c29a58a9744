import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { freePort } from "../test/support/free-port.ts";
import { type Load, startLoad } from "../test/support/load.ts";
import { GATEWAY_TOKEN, makeRealGateway, openclawJson } from "../test/support/openclaw.ts";
import type { Consumer } from "./consumer.ts";
import { NAME, resolveSocket } from "./daemon.ts";
import { showing } from "./screen.ts";
import type { Stage } from "./stage.ts";
import type { Store } from "./stores.ts";
import { MODEL, type Vendor } from "./vendor.ts";

const CLIENTS = 4;
/** A real gateway works more than a second of processor time for a request: four users would keep a small machine from proving anything. */
const GATEWAY_CLIENTS = 2;
const STAND_IN = fileURLToPath(new URL("../test/fakes/stand-in-consumer.ts", import.meta.url));

/** A small program that reads its key from the file or asks rotated for it, and again when it is told to. */
export async function standIn(stage: Stage, vendor: Vendor, { file }: Store): Promise<Consumer> {
  const socket = stage.path("app.sock");
  const command = (action: string) => [process.execPath, STAND_IN, action, "--socket", socket];
  let url = "";
  return {
    config: { type: "command", reload: command("reload"), validate: command("validate") },
    use: {},
    pairs: false,
    clients: CLIENTS,
    async start() {
      const key =
        file === undefined ? ["--program", await installResolve(stage), "--id", NAME] : ["--secret", file.path, "--field", file.field];
      const place = ["--socket", socket, "--vendor", new URL(vendor.url).origin, "--model", MODEL];
      const { ready } = await stage.start("app", [process.execPath, STAND_IN, "serve", ...key, ...place], {
        says: "stdout",
        ready: (line) => JSON.parse(line) as { port: number },
      });
      url = `http://127.0.0.1:${ready.port}/`;
      return file === undefined
        ? "a small program that gets its key by `rotatectl resolve`, and calls the vendor with it all the time"
        : "a small program that calls the vendor with that key, all the time";
    },
    startLoad: () => askWithoutEnd(url),
  };
}

/** A real OpenClaw gateway with two agents, in a directory of its own. */
export async function openClaw(stage: Stage, vendor: Vendor, { file }: Store): Promise<Consumer> {
  const agents = ["main", "helper"];
  const port = await freePort();
  const address = { url: `ws://127.0.0.1:${port}`, http: `http://127.0.0.1:${port}` };
  return {
    config: { type: "openclaw", url: address.url, token: stage.secret("gateway-token", GATEWAY_TOKEN) },
    use: { provider: "openai" },
    pairs: true,
    clients: GATEWAY_CLIENTS,
    async start() {
      const basics = { vendor: vendor.url, port, agents };
      const config = file === undefined ? await withResolve(stage, basics) : withFile(basics, file);
      const gateway = await makeRealGateway(config, stage.path("app"));
      stage.signal.throwIfAborted();
      stage.defer(() => gateway.stop());
      await showing("starting OpenClaw (10 to 25 s)", gateway.start());
      const way = file === undefined ? "; it gets its key by `rotatectl resolve`" : "";
      return `a real OpenClaw gateway, ${address.url}, with the agents ${agents.join(" and ")}${way}`;
    },
    startLoad: () => startLoad({ http: address.http, token: GATEWAY_TOKEN, agents, clients: GATEWAY_CLIENTS, pauseMs: 1000 }),
  };
}

type Basics = Readonly<Pick<Parameters<typeof openclawJson>[0], "vendor" | "agents">> & { readonly port: number };

function withFile(basics: Basics, { path, field }: NonNullable<Store["file"]>) {
  return openclawJson({ ...basics, secretFile: path, apiKey: { source: "file", provider: "keys", id: field } });
}

/** The usual openclaw.json, with the key where `rotatectl resolve --install` says. */
async function withResolve(stage: Stage, basics: Basics) {
  const usual = openclawJson({ ...basics, secretFile: "", apiKey: { source: "exec", provider: "rotated", id: NAME } });
  return { ...usual, secrets: { providers: { rotated: { source: "exec", command: await installResolve(stage) } } } };
}

/** Writes the program that gives consumers their key, as an operator does. */
async function installResolve(stage: Stage): Promise<string> {
  const path = stage.path("app/rotated-resolve");
  const args = ["--socket", resolveSocket(stage), "resolve", "--install", path];
  const { code, output } = await stage.run(["bin/rotatectl", ...args], { env: {}, capture: true });
  if (code !== 0) throw new Error(`rotatectl resolve --install ended with exit code ${code}: ${output}`);
  return path;
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
