import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { installPeer } from "../../scripts/peers.ts";
import { startChatVendor } from "./chat-vendor.ts";
import { freePort } from "./free-port.ts";

/** A real any-llm gateway in a process of its own, with SQLite, in front of a stand-in for the vendor. */
export interface AnyLlmGateway {
  /** Without `/v1`. */
  readonly url: string;
  readonly masterKey: string;
  /** Makes the vendor behind the gateway answer each request with this status. */
  outage(status: number | undefined): void;
  /** Calls the key API, or a chat with another bearer. */
  call(method: string, path: string, body?: object, bearer?: string): Promise<{ readonly status: number; readonly body: unknown }>;
  close(): Promise<void>;
}

const STARTS_WITHIN_MS = 60_000;
const UPSTREAM_KEY = "sk-upstream-canary-0001";

/** The gateway ends with its standard input, and takes its folder with it: so it does not outlive us, however we end. */
const PROGRAM = `
import os, shutil, sys, threading
def end_with_us():
    os.read(0, 1)
    shutil.rmtree(os.getcwd(), ignore_errors=True)
    os._exit(0)
threading.Thread(target=end_with_us, daemon=True).start()
from any_llm.gateway.cli import main
sys.argv = ["any-llm-gateway", "serve", "--config", "gateway.yml"]
main()
`;

/** Starts the pinned gateway, installing it if need be; resolves when it is ready. */
export async function startAnyLlm(): Promise<AnyLlmGateway> {
  const folder = await installPeer("any-llm");
  // A port that was free a moment ago may be taken: then the gateway ends at once, and another port is tried.
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await start(folder);
    } catch (error) {
      if (attempt === 3) throw error;
    }
  }
}

async function start(folder: string): Promise<AnyLlmGateway> {
  const upstream = await startChatVendor();
  upstream.accepted.add(UPSTREAM_KEY);
  const home = await mkdtemp(join(tmpdir(), "rotated-any-llm-"));
  const url = `http://127.0.0.1:${await freePort()}`;
  const masterKey = "mk-canary-master-0001";
  // JSON is YAML.
  const config = {
    database_url: `sqlite:///${join(home, "gateway.db")}`,
    host: "127.0.0.1",
    port: Number(new URL(url).port),
    master_key: masterKey,
    providers: { openai: { api_key: UPSTREAM_KEY, api_base: upstream.url } },
  };
  await writeFile(join(home, "gateway.yml"), JSON.stringify(config));
  const env = { HOME: home, PATH: process.env["PATH"] };
  const child = spawn(join(folder, "env/bin/python3"), ["-c", PROGRAM], { cwd: home, env, stdio: ["pipe", "ignore", "pipe"] });
  const kill = () => child.kill("SIGKILL");
  process.once("exit", kill);
  const close = async () => {
    process.off("exit", kill);
    if (child.exitCode === null && child.signalCode === null) {
      kill();
      await once(child, "exit");
    }
    await upstream.stop();
    rmSync(home, { recursive: true, force: true });
  };
  try {
    await untilReady(child, url);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    url,
    masterKey,
    outage(status) {
      upstream.outage = status;
    },
    async call(method, path, body, bearer = masterKey) {
      const headers = { authorization: `Bearer ${bearer}`, "content-type": "application/json", connection: "close" };
      const response = await fetch(`${url}${path}`, { method, headers, ...(body && { body: JSON.stringify(body) }) });
      const text = await response.text();
      return { status: response.status, body: text === "" ? undefined : JSON.parse(text) };
    },
    close,
  };
}

/** Resolves when the gateway answers; throws with the end of what it printed when it ended or took too long. */
async function untilReady(child: ChildProcess, url: string): Promise<void> {
  let printed = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    printed = (printed + chunk.toString("utf8")).slice(-2000);
  });
  for (const until = Date.now() + STARTS_WITHIN_MS; Date.now() < until; await sleep(50)) {
    if (child.exitCode !== null || child.signalCode !== null) break;
    const healthy = await fetch(`${url}/health`).then(
      async (response) => (await response.json()) !== undefined && response.ok,
      () => false,
    );
    if (healthy) return;
  }
  throw new Error(`any-llm gateway: not ready\n${printed}`);
}
