import { execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("../", import.meta.url));
const nodePackage = `node-linux-${process.arch}`;
/** PATH as a person has it: without the tools of this package. */
const hostPath = (process.env["PATH"] ?? "").split(delimiter).filter((folder) => !folder.includes("node_modules"));
const oldNode = hostPath.map((folder) => join(folder, "node")).find((node) => majorOf(node) < 24);

/** Stands for both programs: says which Node runs it, as which process, with what. */
const PROBE = "exports.main = (argv) => { console.log(JSON.stringify({ node: process.version, pid: process.pid, argv })); return 3; }\n";

let directory: string;
let clone: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "rotated launchers-"));
  clone = join(directory, "a clone");
  await makePackage(clone);
  await mkdir(join(clone, "node_modules"));
  await symlink(join(root, "node_modules", nodePackage), join(clone, "node_modules", nodePackage));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

/** This package with its real launchers and the probe in the place of the programs. */
async function makePackage(folder: string): Promise<void> {
  await mkdir(join(folder, "dist"), { recursive: true });
  await cp(join(root, "bin"), join(folder, "bin"), { recursive: true });
  const { dependencies: _, devDependencies: __, scripts: ___, ...rest } = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
  await writeFile(join(folder, "package.json"), JSON.stringify(rest));
  await writeFile(join(folder, "dist/rotated.cjs"), PROBE);
  await writeFile(join(folder, "dist/rotatectl.cjs"), PROBE);
}

function majorOf(node: string): number {
  try {
    return Number(
      execFileSync(node, ["-p", "process.versions.node.split('.')[0]"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }),
    );
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

interface Ran {
  readonly pid: number | undefined;
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(program: string, argv: readonly string[], path = hostPath.join(delimiter)): Promise<Ran> {
  const child = spawn(program, argv, { env: { PATH: path }, cwd: "/", stdio: ["ignore", "pipe", "pipe"] });
  const closed = once(child, "close");
  const [stdout, stderr] = await Promise.all([child.stdout.setEncoding("utf8").toArray(), child.stderr.setEncoding("utf8").toArray()]);
  const [code] = await closed;
  return { pid: child.pid, code, stdout: stdout.join(""), stderr: stderr.join("") };
}

async function expectLaunched(program: string, path?: string): Promise<void> {
  const ran = await run(program, ["rotate", "a b", "--reason=$HOME 'x'"], path);
  expect(ran, ran.stderr).toMatchObject({ code: 3, stderr: "" });
  const seen = JSON.parse(ran.stdout);
  expect(seen.argv).toEqual(["rotate", "a b", "--reason=$HOME 'x'"]);
  expect(Number(/^v(\d+)/.exec(seen.node)?.[1])).toBeGreaterThanOrEqual(24);
  expect(seen.pid, "the launcher must become the program, not start it").toBe(ran.pid);
}

describe.each(["rotated", "rotatectl"])("%s", (program) => {
  test("runs on Node 24 from a clone, also by a link", async () => {
    await expectLaunched(join(clone, "bin", program));
    const links = await mkdtemp(join(directory, "links-"));
    await symlink(join(clone, "bin", program), join(links, "one"));
    await symlink("one", join(links, "two"));
    await expectLaunched(join(links, "two"));
  });

  test("runs on Node 24 when npm put it beside the package", async () => {
    const modules = await mkdtemp(join(directory, "hoisted-"));
    await makePackage(join(modules, "rotated"));
    await symlink(join(root, "node_modules", nodePackage), join(modules, nodePackage));
    await expectLaunched(join(modules, "rotated/bin", program));
  });

  test("runs on the host's own Node 24 where npm has none for the machine", async () => {
    const bare = await mkdtemp(join(directory, "bare-"));
    await makePackage(bare);
    await expectLaunched(join(bare, "bin", program), join(root, "node_modules", nodePackage, "bin"));
  });

  test("needs no other program where npm has linked it", async () => {
    const prefix = await mkdtemp(join(directory, "prefix-"));
    await makePackage(join(prefix, "lib/node_modules/rotated"));
    await symlink(join(clone, "node_modules"), join(prefix, "lib/node_modules/rotated/node_modules"));
    await mkdir(join(prefix, "bin"));
    await symlink(join("../lib/node_modules/rotated/bin", program), join(prefix, "bin", program));
    await expectLaunched(join(prefix, "bin", program), "/nothing");
    await expectLaunched(join(clone, "bin", program), "/nothing");
  });

  test("says its version", async () => {
    const { version } = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
    expect(await run(join(root, "bin", program), ["--version"])).toMatchObject({ code: 0, stdout: `${version}\n` });
  });

  test("says that it is not built", async () => {
    const folder = await mkdtemp(join(directory, "unbuilt-"));
    await cp(join(root, "bin"), join(folder, "bin"), { recursive: true });
    await writeFile(join(folder, "package.json"), '{ "type": "module" }');
    await symlink(join(clone, "node_modules"), join(folder, "node_modules"));
    expect(await run(join(folder, "bin", program), [])).toMatchObject({
      code: 1,
      stderr: `${program}: error: it is not built\n${program}: hint: npm run build\n`,
    });
  });

  test("says that there is no Node at all", async () => {
    const folder = await mkdtemp(join(directory, "bare-"));
    await makePackage(folder);
    const tools = await mkdtemp(join(directory, "tools-"));
    for (const tool of ["sh", "readlink"]) await symlink(`/usr/bin/${tool}`, join(tools, tool));
    expect(await run(join(folder, "bin", program), [], tools)).toMatchObject({
      code: 1,
      stderr: `${program}: error: needs Node 24 or newer, and there is none\n`,
    });
  });

  test.skipIf(oldNode === undefined)(
    `says that the host's Node is too old${oldNode ? "" : " (skipped: it has no older one)"}`,
    async () => {
      const folder = await mkdtemp(join(directory, "old-"));
      await makePackage(folder);
      const ran = await run(join(folder, "bin", program), ["--version"], [join(oldNode ?? "", ".."), "/usr/bin", "/bin"].join(delimiter));
      expect(ran.code).toBe(1);
      expect(ran.stderr).toMatch(new RegExp(`^${program}: error: needs Node 24 or newer, this is v\\d+.*\n${program}: hint: `));
    },
  );
});

test("rotatectl --help needs no Node, and prints what Node would", async () => {
  const tools = await mkdtemp(join(directory, "no-node-"));
  for (const tool of ["sh", "readlink", "cat"]) await symlink(`/usr/bin/${tool}`, join(tools, tool));
  const folder = await mkdtemp(join(directory, "help-"));
  await cp(join(root, "bin"), join(folder, "bin"), { recursive: true });
  await cp(join(root, "dist/rotatectl-help.txt"), join(folder, "dist/rotatectl-help.txt"));
  const byNode = await run(process.execPath, [join(root, "bin/rotatectl"), "--help"]);
  expect(byNode).toMatchObject({ code: 0, stderr: "", stdout: expect.stringContaining("all credentials at a glance") });
  expect(await run(join(folder, "bin/rotatectl"), ["--help"], tools)).toMatchObject({ code: 0, stderr: "", stdout: byNode.stdout });
});

test("both run after npm install -g of the packed package", { timeout: 120_000 }, async () => {
  const folder = join(directory, "to pack");
  await makePackage(folder);
  const npm = (...argv: string[]) =>
    new Promise<void>((resolve, reject) => {
      const options = { cwd: folder, env: { ...process.env, PATH: hostPath.join(delimiter) } };
      execFile("npm", argv, options, (error, _, stderr) => (error === null ? resolve() : reject(new Error(stderr))));
    });
  await npm("pack", "--silent");
  const tarball = `rotated-${JSON.parse(await readFile(join(folder, "package.json"), "utf8")).version}.tgz`;
  await npm("install", "--global", "--prefix", join(directory, "opt"), "--no-audit", "--no-fund", "--prefer-offline", `./${tarball}`);
  await expectLaunched(join(directory, "opt/bin/rotatectl"));
  await expectLaunched(join(directory, "opt/bin/rotated"));
});
