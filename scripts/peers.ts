/**
 * Installs the real programs that the tests run against. Each has a folder under test/peers/ with all its versions pinned: an npm
 * package, or the requirements of a Python environment. It is installed once per list of versions into a cache outside the tree.
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
  const recipe = (await exists(join(PEERS, name, PYTHON.pins))) ? PYTHON : NPM;
  const folder = await peerFolder(name, recipe);
  if (await exists(folder)) return folder;
  await mkdir(dirname(folder), { recursive: true });
  const draft = await mkdtemp(`${folder}.draft-`);
  try {
    for (const file of recipe.files) await copyFile(join(PEERS, name, file), join(draft, file));
    await recipe.install(draft, signal);
    await rename(draft, folder);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    // Another install of the same lock file was first: its folder is as good as ours.
    if (!(await exists(folder))) throw error;
  }
  return folder;
}

/** How a kind of peer is pinned and installed. */
interface Recipe {
  /** The file that fixes all versions. */
  readonly pins: string;
  readonly files: readonly string[];
  install(folder: string, signal: AbortSignal | undefined): Promise<unknown>;
}

const NPM: Recipe = {
  pins: "package-lock.json",
  files: ["package.json", "package-lock.json"],
  install(cwd, signal) {
    // OpenClaw's own install script refuses an older Node than 24, so this process's Node comes first.
    const env = { ...process.env, PATH: [dirname(process.execPath), process.env["PATH"]].join(delimiter) };
    return run("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], { cwd, env, signal });
  },
};

const PYTHON: Recipe = {
  pins: "requirements.txt",
  files: ["requirements.txt"],
  async install(cwd, signal) {
    await run("python3", ["-m", "venv", "env"], { cwd, signal });
    // Called as a module: the scripts of an environment name the folder in which it was made, and this one is renamed.
    const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "-r", "requirements.txt"];
    await run(join(cwd, "env/bin/python3"), pip, { cwd, signal });
  },
};

function run(command: string, args: readonly string[], options: { cwd: string; env?: NodeJS.ProcessEnv; signal: AbortSignal | undefined }) {
  const { signal, ...rest } = options;
  return promisify(execFile)(command, args, { ...rest, maxBuffer: 1 << 26, ...(signal && { signal }) });
}

/** Where a peer is, or will be. */
async function peerFolder(name: string, { pins }: Recipe): Promise<string> {
  const lock = await readFile(join(PEERS, name, pins));
  const hash = createHash("sha256").update(lock).digest("hex").slice(0, 16);
  const cache = process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache");
  return join(cache, "rotated-peers", `${name}-${hash}`);
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
