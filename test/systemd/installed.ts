import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { ROOT } from "../support/host.ts";

const run = promisify(execFile);

/** This checkout, inside of a box: what is not installed. */
export const SOURCES = "/srv/rotated";

/** This package as a tarball in a directory of its own. Needs a build. */
export async function packPackage(): Promise<{ directory: string; remove(): Promise<void> }> {
  if (!existsSync(join(ROOT, "dist/rotated.cjs"))) throw new Error("nothing is built: npm run build");
  const directory = await mkdtemp(join(tmpdir(), "rotated-packed-"));
  await run("npm", ["pack", "--silent", "--ignore-scripts", "--pack-destination", directory], { cwd: ROOT });
  return { directory, remove: () => rm(directory, { recursive: true, force: true }) };
}

/**
 * The directories to bind into a box for an installed package: the files of the real tarball, with the dependencies of this
 * checkout. It takes no time; that `npm install` comes to the same is shown once, in unit.test.ts.
 */
export async function unpackPackage(): Promise<{ binds: Readonly<Record<string, string>>; remove(): Promise<void> }> {
  const { directory, remove } = await packPackage();
  const [tarball = ""] = await readdir(directory);
  const inside = "lib/node_modules/rotated";
  await mkdir(join(directory, "prefix", inside, "node_modules"), { recursive: true });
  await mkdir(join(directory, "prefix/bin"));
  await run("tar", ["-xzf", join(directory, tarball), "--strip-components=1", "-C", join(directory, "prefix", inside)]);
  await symlink(`../${inside}/bin/rotatectl`, join(directory, "prefix/bin/rotatectl"));
  const binds = {
    [join(directory, "prefix")]: "/opt/rotated",
    [join(ROOT, "node_modules")]: `/opt/rotated/${inside}/node_modules`,
    [ROOT]: SOURCES,
  };
  return { binds, remove };
}
