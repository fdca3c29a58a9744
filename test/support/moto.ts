import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { installPeer } from "../../scripts/peers.ts";

/** Ends with its parent, however that one ends: then its standard input closes. */
const MAIN = `
import os, sys, threading
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
from moto.server import main
main(sys.argv[1:])
`;

export interface Moto {
  readonly url: string;
  close(): Promise<void>;
}

let running: Promise<Moto> | undefined;

/** The address of this process's moto, started at the first call. It keeps no process from ending. */
export async function moto(): Promise<string> {
  running ??= startMoto();
  return (await running).url;
}

/** Starts a moto, which forgets everything when it ends. */
export async function startMoto(): Promise<Moto> {
  const folder = await installPeer("moto");
  const port = await freePort();
  const args = ["-c", MAIN, "-H", "127.0.0.1", "-p", String(port)];
  const child = spawn(join(folder, "env/bin/python3"), args, { stdio: ["pipe", "ignore", "ignore"] });
  child.unref();
  (child.stdin as unknown as { unref(): void }).unref();
  const url = `http://127.0.0.1:${port}`;
  while (child.exitCode === null) {
    const ready = await fetch(`${url}/moto-api/`).then(
      (reply) => reply.ok,
      () => false,
    );
    if (ready) return { url, close };
    await wait(50);
  }
  throw new Error(`moto ended with ${child.exitCode}`);

  async function close(): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.ref();
    const ended = once(child, "exit");
    child.stdin.end();
    await ended;
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
