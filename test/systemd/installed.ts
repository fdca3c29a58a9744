import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { ROOT } from "../support/host.ts";

const run = promisify(execFile);

/** The host's own npm, as an operator has it: the tools of this package come first on our PATH. */
async function npm(cwd: string, ...args: readonly string[]): Promise<string> {
  const path = (process.env["PATH"] ?? "").split(delimiter).filter((folder) => !folder.includes("node_modules"));
  return (await run("npm", args, { cwd, env: { ...process.env, PATH: path.join(delimiter) } })).stdout.trim();
}

/** This package as a tarball in a directory of its own. Needs a build. */
export async function packPackage(): Promise<{ directory: string; remove(): Promise<void> }> {
  if (!existsSync(join(ROOT, "dist/src/daemon-main.js"))) throw new Error("nothing is built: npm run build");
  const directory = await mkdtemp(join(tmpdir(), "rotated-packed-"));
  await npm(ROOT, "pack", "--silent", "--ignore-scripts", "--pack-destination", directory);
  return { directory, remove: () => rm(directory, { recursive: true, force: true }) };
}

/** The package as `npm install -g --prefix` leaves it, from npm's cache where that has everything. */
export async function installPackage(): Promise<{ prefix: string; remove(): Promise<void> }> {
  const { directory, remove } = await packPackage();
  const [tarball = ""] = await readdir(directory);
  const prefix = join(directory, "prefix");
  await npm(directory, "install", "--global", "--prefix", prefix, "--no-audit", "--no-fund", "--prefer-offline", `./${tarball}`);
  return { prefix, remove };
}
