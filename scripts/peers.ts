/**
 * Installs the real programs that the tests run against. Each is a package of its own under test/peers/, so that the
 * root install stays small; it is installed once per lock file into a cache outside the tree.
 *
 *     node scripts/peers.ts openclaw     prints the folder
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { access, copyFile, mkdir, mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const PEERS = fileURLToPath(new URL("../test/peers/", import.meta.url));

/** The folder of an installed peer. Takes no time when it is there; two installs at once do not disturb each other. */
export async function installPeer(name: string, signal?: AbortSignal): Promise<string> {
  const folder = await peerFolder(name);
  if (await exists(folder)) return folder;
  await mkdir(dirname(folder), { recursive: true });
  const draft = await mkdtemp(`${folder}.draft-`);
  try {
    for (const file of ["package.json", "package-lock.json"]) await copyFile(join(PEERS, name, file), join(draft, file));
    await npm(draft, signal, "ci", "--no-audit", "--no-fund", "--loglevel=error");
    await rename(draft, folder);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    // Another install of the same lock file was first: its folder is as good as ours.
    if (!(await exists(folder))) throw error;
  }
  return folder;
}

/** Where a peer is, or will be. */
async function peerFolder(name: string): Promise<string> {
  const lock = await readFile(join(PEERS, name, "package-lock.json"));
  const hash = createHash("sha256").update(lock).digest("hex").slice(0, 16);
  const cache = process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache");
  return join(cache, "rotated-peers", `${name}-${hash}`);
}

/** OpenClaw's own install script refuses an older Node than 24, so this process's Node comes first. */
async function npm(cwd: string, signal: AbortSignal | undefined, ...args: readonly string[]): Promise<void> {
  const env = { ...process.env, PATH: [dirname(process.execPath), process.env["PATH"]].join(delimiter) };
  await promisify(execFile)("npm", args, { cwd, env, maxBuffer: 1 << 26, ...(signal && { signal }) });
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

if (import.meta.main) {
  const names = process.argv.slice(2);
  if (names.length === 0) {
    process.stderr.write("usage: node scripts/peers.ts NAME...\n");
    process.exitCode = 2;
  }
  for (const name of names) process.stdout.write(`${await installPeer(name)}\n`);
}
