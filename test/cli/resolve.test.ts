import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, chown, mkdir, readFile, realpath, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { runExec } from "../fakes/gateway/exec.ts";
import { openBench as openResolve } from "../resolve/bench.ts";
import { openBench } from "./run.ts";

const me = [{ user: process.getuid?.() ?? 0 }];
const request = (...ids: readonly string[]) => JSON.stringify({ protocolVersion: 1, provider: "rotated", ids });

describe("rotatectl resolve", () => {
  test("prints the daemon's answer and nothing else; what is missing is told on stderr", async () => {
    await using server = await openResolve();
    await using bench = await openBench();
    server.hold("main", me, "sk-canary-main");
    bench.piped = request("main", "other");
    const ran = await bench.run(["--socket", server.path, "resolve"]);
    expect(ran.code, ran.stderr).toBe(0);
    expect(JSON.parse(ran.stdout)).toMatchObject({
      protocolVersion: 1,
      values: { main: "sk-canary-main" },
      errors: { other: { code: "NOT_FOUND" } },
    });
    expect(ran.stderr).toMatch(/^rotatectl: warning: other: not granted to /);
    expect(ran.stderr).not.toContain("canary");
  });

  test("takes no option for the control socket, and not its variable", async () => {
    await using bench = await openBench();
    bench.piped = request("main");
    const ran = await bench.run(["resolve"]);
    expect(ran).toMatchObject({ code: 1, stdout: "" });
    expect(ran.stderr).toContain("no daemon answers on /run/rotated/resolve.sock");
  });

  test.each([
    ["nothing on stdin", undefined, /no request on stdin/],
    ["an empty line", "\n", /no request on stdin/],
  ])("%s is wrong usage", async (_, piped, says) => {
    await using bench = await openBench();
    bench.piped = piped;
    const ran = await bench.run(["resolve"]);
    expect(ran).toMatchObject({ code: 2, stdout: "" });
    expect(ran.stderr).toMatch(says);
  });

  test("another version of the protocol is refused with a word about it", async () => {
    await using server = await openResolve();
    await using bench = await openBench();
    bench.piped = '{"protocolVersion":2,"ids":["main"]}';
    const ran = await bench.run(["--socket", server.path, "resolve"]);
    expect(ran).toMatchObject({ code: 2, stdout: "" });
    expect(ran.stderr).toContain("version 1 of the protocol");
  });

  test("says at once that the daemon is down", async () => {
    await using server = await openResolve();
    await using bench = await openBench();
    await server.server.close();
    bench.piped = request("main");
    const since = performance.now();
    const ran = await bench.run(["--socket", server.path, "resolve"]);
    expect(performance.now() - since).toBeLessThan(500);
    expect(ran).toMatchObject({ code: 1, stdout: "" });
    expect(ran.stderr).toContain(`no daemon answers on ${server.path}`);
    expect(ran.stderr).toContain("systemctl status rotated");
  });
});

describe("rotatectl resolve --install", () => {
  let directory: string;
  beforeEach(async ({ onTestFinished }) => {
    const bench = await openResolve();
    onTestFinished(() => bench[Symbol.asyncDispose]());
    directory = join(await realpath(bench.directory), "openclaw");
    await mkdir(directory, { mode: 0o700 });
  });

  async function install(path: string, socket = "/run/rotated/resolve.sock") {
    await using bench = await openBench();
    return bench.run(["--socket", socket, "resolve", "--install", path]);
  }

  test("writes a program that OpenClaw takes, and prints what belongs into openclaw.json", async () => {
    await using server = await openResolve();
    server.hold("main", me, "sk-canary-main");
    const path = join(directory, "it's a resolver");
    const { code, stdout, stderr } = await install(path, server.path);
    expect(code, stderr).toBe(0);
    const { secrets, models } = JSON.parse(stdout);
    expect(secrets.providers.rotated).toEqual({ source: "exec", command: path });
    expect(models.providers.openai).toEqual({ auth: "api-key", apiKey: { source: "exec", provider: "rotated", id: "prod-openai" } });
    expect((await stat(path)).mode & 0o7777).toBe(0o700);
    // The double of OpenClaw checks the file as OpenClaw does, and hands on no variable at all.
    const provider = { command: path, passEnv: [], timeoutMs: 5000 };
    expect(await runExec(provider, "rotated", ["main", "other"], { PATH: "/nowhere" })).toMatchObject({
      values: { main: "sk-canary-main" },
      errors: { other: { code: "NOT_FOUND" } },
    });
    expect(await runExec({ ...provider, passEnv: ["PATH"] }, "rotated", [], { PATH: "" })).toEqual({ values: {}, errors: {} });
    await server.server.close();
    await expect(runExec(provider, "rotated", ["main"], {})).rejects.toThrow("exited with code 1");
  });

  test("shows no secret in its arguments or its environment while it runs", async () => {
    await using server = await openResolve();
    const held = Promise.withResolvers<undefined>();
    server.hold("main", me, () => held.promise);
    const path = join(directory, "resolver");
    await install(path, server.path);
    const child = spawn(path, { env: {}, stdio: ["pipe", "ignore", "ignore"] });
    child.stdin.end(request("main"));
    await expect.poll(() => readFile(`/proc/${child.pid}/cmdline`, "utf8"), { timeout: 5000 }).toContain("resolve");
    expect((await readFile(`/proc/${child.pid}/environ`, "utf8")).toLowerCase()).not.toContain("canary");
    held.resolve(undefined);
    await once(child, "exit");
  });

  test("replaces its own file, and keeps it in order", async () => {
    const path = join(directory, "resolver");
    await install(path, "/run/old.sock");
    await chmod(path, 0o755);
    const { code } = await install(path, "/run/new.sock");
    expect(code).toBe(0);
    expect(await readFile(path, "utf8")).toContain("'/run/new.sock'");
    expect((await stat(path)).mode & 0o7777).toBe(0o700);
  });

  test("refuses what is not its own, and every place that OpenClaw would refuse or others could change", async () => {
    await writeFile(join(directory, "precious"), "#!/bin/sh\n");
    await symlink(join(directory, "precious"), join(directory, "link"));
    await mkdir(join(directory, "folder"));
    await mkdir(join(directory, "open"));
    await chmod(join(directory, "open"), 0o777);
    await symlink(directory, join(directory, "way"));
    const cases: Readonly<Record<string, RegExp>> = {
      "relative/path": /is not an absolute path/,
      [`${directory}/../x`]: /is not an absolute path/,
      [`${directory}/precious`]: /was not written by rotatectl/,
      [`${directory}/link`]: /is a symbolic link/,
      [`${directory}/folder`]: /is no file/,
      [`${directory}/missing/resolver`]: /there is no directory/,
      [`${directory}/open/resolver`]: /others can write in/,
      [`${directory}/way/resolver`]: /has a symbolic link/,
    };
    for (const [path, says] of Object.entries(cases)) {
      const ran = await install(path);
      expect(ran, path).toMatchObject({ code: 2, stdout: "" });
      expect(ran.stderr, path).toMatch(says);
      expect(ran.stderr, path).toMatch(/rotatectl: hint: /);
    }
    expect(await readFile(join(directory, "precious"), "utf8")).toBe("#!/bin/sh\n");
  });

  const root = process.getuid?.() === 0;
  test.skipIf(!root)(
    `refuses the file and the directory of another account${root ? "" : " (skipped: only root can make them)"}`,
    async () => {
      const path = join(directory, "resolver");
      await install(path);
      await chown(path, 4242, 4242);
      expect((await install(path)).stderr).toContain("belongs to uid 4242");
      await chown(directory, 4242, 4242);
      expect((await install(join(directory, "another"))).stderr).toMatch(/belongs to uid 4242\n.*sudo -u ACCOUNT/);
    },
  );
});
