import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { realpathSync } from "node:fs";
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { installPeer } from "../../scripts/peers.ts";
import type { OpenClawFile, SecretReference } from "../fakes/gateway/config.ts";
import { ROOT } from "./host.ts";
import { noteGroup } from "./process-groups.ts";

export const GATEWAY_TOKEN = "gateway-token-canary-0123456789abcdef";

/** The usual openclaw.json of a test: one provider, `openai`, whose key is at `/openai/apiKey` of a JSON file. */
export function openclawJson(options: {
  readonly vendor: string;
  readonly secretFile: string;
  readonly port?: number;
  /** Names of agents; with none, OpenClaw has one that is called `main`. */
  readonly agents?: readonly string[];
  /** Without it, a variable of the environment beats the reference. */
  readonly pinned?: boolean;
  /** Another reference to the key. */
  readonly apiKey?: SecretReference;
  /** Another token than `GATEWAY_TOKEN`, or a reference to it. */
  readonly token?: SecretReference;
}): OpenClawFile {
  const { vendor, secretFile, port = 0, agents, pinned = true, token = GATEWAY_TOKEN } = options;
  const { apiKey = { source: "file", provider: "keys", id: "/openai/apiKey" } } = options;
  return {
    gateway: {
      mode: "local",
      bind: "loopback",
      port,
      auth: { mode: "token", token },
      http: { endpoints: { chatCompletions: { enabled: true } } },
    },
    secrets: { providers: { keys: { source: "file", path: secretFile, mode: "json" } } },
    models: {
      providers: {
        openai: {
          baseUrl: vendor,
          api: "openai-completions",
          ...(pinned && { auth: "api-key" }),
          apiKey,
          models: [{ id: "fake-1", name: "Fake 1" }],
        },
      },
    },
    agents: {
      defaults: { model: { primary: "openai/fake-1" } },
      ...(agents && { ownership: "explicit", entries: Object.fromEntries(agents.map((name) => [name, {}])) }),
    },
    plugins: { enabled: false },
  };
}

export interface RealGateway {
  readonly http: string;
  readonly url: string;
  /** Everything that it printed, over all its starts. */
  readonly output: readonly string[];
  start(): Promise<void>;
  /** Puts an entry into its own secret store with its own command line, which tells a running gateway nothing. */
  enter(name: string, value: string): Promise<void>;
  /** Ends it as a service manager would; nothing of it is left running. */
  stop(): Promise<void>;
}

const START_LIMIT_MS = 120_000;
const STOP_LIMIT_MS = 20_000;

/**
 * The real gateway, not started yet. Its config, state and home are in `directory`, and so must be every file that it
 * reads. It writes to /tmp whatever it is told: where we may, it gets a /tmp of its own, else that is cleaned up after it.
 */
export async function makeRealGateway(
  config: { readonly gateway: { readonly port: number } },
  directory: string,
  env: Readonly<Record<string, string>> = {},
): Promise<RealGateway> {
  const installed = await installPeer("openclaw");
  const program = join(installed, "node_modules/openclaw/dist/index.js");
  const configPath = join(directory, "openclaw.json");
  const output: string[] = [];
  let child: ChildProcess | undefined;
  let ended = () => {};
  let before: readonly string[] = [];
  const { port } = config.gateway;
  const http = `http://127.0.0.1:${port}`;

  const run = (...args: readonly string[]) =>
    privately([process.execPath, program, ...args], directory, [installed, dirname(process.execPath), ROOT]);
  const options = {
    cwd: directory,
    env: {
      PATH: [dirname(process.execPath), process.env["PATH"]].join(":"),
      HOME: directory,
      OPENCLAW_STATE_DIR: join(directory, "state"),
      OPENCLAW_CONFIG_PATH: configPath,
      OPENCLAW_DISABLE_BONJOUR: "1",
      OPENCLAW_SKIP_CHANNELS: "1",
      OPENCLAW_NO_RESPAWN: "1",
      // As its own launcher does it, which is not used here: some seconds less a start.
      NODE_COMPILE_CACHE: join(installed, "compiled"),
      NO_COLOR: "1",
      ...env,
    },
  };
  const prepare = async () => {
    await mkdir(join(directory, "state"), { recursive: true });
    await writeFile(configPath, JSON.stringify(config), { mode: 0o600 });
  };

  return {
    http,
    url: `ws://127.0.0.1:${port}`,
    output,
    async start() {
      await prepare();
      before = await leftovers();
      // A group of its own: what the gateway starts ends with it.
      const started = spawn(...run("gateway", "run"), { ...options, detached: true, stdio: ["ignore", "pipe", "pipe"] });
      child = started;
      if (started.pid !== undefined) ended = noteGroup(started.pid);
      for (const stream of [started.stdout, started.stderr]) stream?.setEncoding("utf8").on("data", (text: string) => output.push(text));
      await untilReady(http, started, output);
    },
    async enter(name, value) {
      await prepare();
      const { status, stderr } = spawnSync(...run("secrets", "store", "set", name, "--kind", "secret"), { ...options, input: value });
      if (status !== 0) throw new Error(`openclaw secrets store set ${name}: ${stderr.toString().slice(-2000)}`);
    },
    async stop() {
      const running = child;
      child = undefined;
      if (running?.pid !== undefined) await endGroup(running, running.pid);
      ended();
      for (const name of await leftovers()) if (!before.includes(name)) await rm(join("/tmp", name), { recursive: true, force: true });
    },
  };
}

/** Root may make mounts of its own; so may others where the kernel lets them be root in a namespace. */
const UNSHARE = ["--mount", ...(process.getuid?.() === 0 ? [] : ["--map-root-user"])];
const mayUnshare = () => spawnSync("unshare", [...UNSHARE, "mount", "-t", "tmpfs", "tmpfs", "/tmp"], { stdio: "ignore" }).status === 0;

/**
 * With a /tmp of its own, where we may make one. Of the real one only `directory` is left, and the folders that are `needed`: one
 * is the project, whose `rotatectl` it may be set up to run.
 */
function privately(command: readonly string[], directory: string, needed: readonly string[]): [string, readonly string[]] {
  if (!mayUnshare()) return [command[0] ?? "", command.slice(1)];
  const kept = [directory, ...needed].map((path) => realpathSync(path)).filter((path) => path.startsWith("/tmp/"));
  const keep = kept.map((path) => `mkdir -p '${path}' && mount --bind '/mnt/${path.slice("/tmp/".length)}' '${path}'`);
  const script = ["mount --bind /tmp /mnt", "mount -t tmpfs tmpfs /tmp", ...keep, "umount -l /mnt", `cd "$1"`, "shift", 'exec "$@"'].join(
    " && ",
  );
  return ["unshare", [...UNSHARE, "sh", "-c", script, "sh", directory, ...command]];
}

async function untilReady(http: string, child: ChildProcess, output: readonly string[]): Promise<void> {
  const deadline = Date.now() + START_LIMIT_MS;
  for (;;) {
    const ready = await fetch(`${http}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    );
    if (ready) return;
    if (child.exitCode !== null || child.signalCode !== null || Date.now() > deadline)
      throw new Error(`the gateway did not start:\n${output.join("").slice(-4000)}`);
    await sleep(100);
  }
}

async function endGroup(child: ChildProcess, pid: number): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    child.kill("SIGTERM");
    await Promise.race([once(child, "exit"), sleep(STOP_LIMIT_MS, undefined, { ref: false })]);
  }
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // The whole group has ended already.
  }
}

async function leftovers(): Promise<readonly string[]> {
  return (await readdir("/tmp")).filter((name) => name.startsWith("openclaw"));
}
