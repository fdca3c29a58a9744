import { execFile } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { ROOT } from "../support/host.ts";

const run = promisify(execFile);

/** The package as `npm install -g --prefix` leaves it, made from a real tarball. */
export interface Installed {
  readonly prefix: string;
  remove(): Promise<void>;
}

/** Packs and installs this package, from npm's cache where that has everything. Needs a build. */
export async function installPackage(): Promise<Installed> {
  const directory = await mkdtemp(join(tmpdir(), "rotated-installed-"));
  const prefix = join(directory, "prefix");
  // The host's own npm, as an operator has it: the tools of this package come first on our PATH.
  const path = (process.env["PATH"] ?? "").split(delimiter).filter((folder) => !folder.includes("node_modules"));
  const env = { ...process.env, PATH: path.join(delimiter) };
  const { stdout } = await run("npm", ["pack", "--silent", "--ignore-scripts", "--pack-destination", directory], { cwd: ROOT, env });
  const quiet = ["--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline"];
  await run("npm", ["install", "--global", "--prefix", prefix, ...quiet, join(directory, stdout.trim())], { cwd: directory, env });
  if (!(await readdir(join(prefix, "lib/node_modules/rotated"))).includes("dist")) throw new Error("nothing is built: npm run build");
  return { prefix, remove: () => rm(directory, { recursive: true, force: true }) };
}
