import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, writeFile } from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { createServer, type IpcNetConnectOpts, type Socket } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test, vi } from "vitest";
import { checklist, NOW, rotation } from "../fakes/control.ts";
import { type Bench, openBench } from "./run.ts";

const MAIN = new URL("../../src/cli/main.ts", import.meta.url).href;
const root = process.getuid?.() === 0;

test.each([
  ["status", "status"],
  ["show prod-openai", "show"],
  ["history", "history"],
  ["plan prod-openai", "plan"],
] as const)("%s --json prints the daemon's answer as it is, and nothing else", async (line, operation) => {
  await using bench = await openBench();
  const ran = await bench.run([...line.split(" "), "--json"]);
  const [call] = bench.control.callsOf(operation);
  const method = bench.control[operation] as (request: unknown, ask: unknown) => Promise<unknown>;
  expect(JSON.parse(ran.stdout)).toEqual(await method.call(bench.control, call?.request, call?.ask));
  expect(ran.stderr).toBe("");
});

test("warnings about the configuration go to stderr, also beside --json", async () => {
  await using bench = await openBench();
  bench.control.warnings = ["providers.openai.adminKey: read from the environment"];
  for (const argv of [["status"], ["status", "--json"]]) {
    const ran = await bench.run(argv);
    expect(ran.stderr).toBe("rotatectl: warning: providers.openai.adminKey: read from the environment");
    expect(ran.stdout).not.toContain("warning:");
  }
});

test("an empty ROTATED_SOCKET is none, and an empty --socket a mistake: Node would call port 80 of this host", async () => {
  await using bench = await openBench();
  using connected = watchConnect(() => {
    throw new Error("no call is made here");
  });
  expect(await bench.run(["status", "--socket", ""])).toMatchObject({ code: 2, stderr: expect.stringContaining("--socket is empty") });
  expect(connected.calls).toEqual([]);
  await bench.run(["status"], undefined, undefined, { ROTATED_SOCKET: "" });
  expect(connected.calls).toMatchObject([{ path: "/run/rotated/control.sock" }]);
});

/** Puts another way to connect in the place of Node's, and notes what it is asked for. */
function watchConnect(instead: (options: IpcNetConnectOpts, connect: (options: IpcNetConnectOpts) => Socket) => Socket) {
  const net = process.getBuiltinModule("node:net");
  const { connect } = net;
  const calls: IpcNetConnectOpts[] = [];
  const spy = vi.spyOn(net, "connect").mockImplementation(((options: IpcNetConnectOpts) => {
    calls.push(options);
    return instead(options, connect);
  }) as typeof connect);
  syncBuiltinESMExports();
  return {
    calls,
    [Symbol.dispose]() {
      spy.mockRestore();
      syncBuiltinESMExports();
    },
  };
}

/** Something else that listens where the daemon is looked for. */
async function other(bench: Bench, answer: string, ends = true): Promise<AsyncDisposable> {
  const server = createServer((socket) => {
    socket.once("data", () => (ends ? socket.end(answer) : socket.write(answer)));
    socket.on("error", () => {});
  });
  server.listen(join(bench.directory, "other.sock"));
  await once(server, "listening");
  return { [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())) };
}

const html = "<html>hello</html>";

test.each([
  ["no HTTP", "SSH-2.0-OpenSSH_9.2\r\n"],
  ["a web page", `HTTP/1.1 200 OK\r\ncontent-length: ${html.length}\r\n\r\n${html}`],
  ["JSON of somebody else", "HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\n{}"],
  ["JSON of somebody else that is fine", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"],
  ["JSON that is no object", "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nnull"],
  ["an error of somebody else", 'HTTP/1.1 500 Internal Server Error\r\ncontent-length: 16\r\n\r\n{"error":"oops"}'],
  ["another protocol", "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n"],
])("%s on the socket is told as what it is", async (_, answer) => {
  await using bench = await openBench();
  await using _other = await other(bench, answer);
  const ran = await bench.run(["status", "--socket", join(bench.directory, "other.sock")]);
  expect(ran.code).toBe(1);
  expect(ran.stderr).toMatch(/^rotatectl: error: what answers on .*other.sock is no rotated daemon\nrotatectl: hint: look at --socket/);
});

test.each([
  ["a path that is too long", `/${"x".repeat(300)}`, "cannot connect to /xxx"],
  ["a plain file", "file", "no daemon answers on "],
])("%s is no fault of rotatectl", async (_, path, message) => {
  await using bench = await openBench();
  const socket = path.startsWith("/") ? path : join(bench.directory, path);
  await writeFile(join(bench.directory, "file"), "");
  const ran = await bench.run(["status", "--socket", socket]);
  expect(ran.code).toBe(1);
  expect(ran.stderr).toContain(`rotatectl: error: ${message}`);
  expect(ran.stderr).not.toContain("fault");
});

test("a daemon that takes a request and never answers is waited for once, not six times", async () => {
  await using bench = await openBench();
  bench.control.status = () => new Promise(() => {});
  // The time that a route has is some seconds at least.
  using connected = watchConnect((options, connect) => connect({ ...options, timeout: 50 }));
  const ran = await bench.run(["status"]);
  expect(ran).toMatchObject({ code: 1, stderr: expect.stringMatching(/ does not answer\nrotatectl: hint: look at its log: /) });
  expect(connected.calls).toHaveLength(1);
});

test("a daemon that stops in the middle of its answer is waited for once, not six times", async () => {
  await using bench = await openBench();
  await using _other = await other(bench, 'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"version":', false);
  using connected = watchConnect((options, connect) => connect({ ...options, timeout: 50 }));
  const ran = await bench.run(["status", "--socket", join(bench.directory, "other.sock")]);
  expect(ran).toMatchObject({ code: 1, stderr: expect.stringMatching(/ does not answer\nrotatectl: hint: look at its log: /) });
  expect(connected.calls).toHaveLength(1);
});

test("an act whose connection breaks is not repeated when a repeat could do harm", async () => {
  await using bench = await openBench();
  await using _other = await other(bench, "");
  using connected = watchConnect((options, connect) => connect(options));
  const ran = await bench.run(["abandon", "prod-openai", "--socket", join(bench.directory, "other.sock")]);
  expect(ran).toMatchObject({ code: 1 });
  expect(connected.calls).toHaveLength(1);
  expect(ran.stderr).toContain("it may have done it or not: look with rotatectl status");
});

test.skipIf(!root)(
  `an account outside of the group is told who can let it in, and of no way to more rights${root ? "" : " (skipped: only root can become it)"}`,
  async () => {
    await using bench = await openBench();
    await chmod(bench.directory, 0o755);
    const program = `import { main } from ${JSON.stringify(MAIN)}; process.exitCode = await main(["status"]);`;
    const env = { ...process.env, ROTATED_SOCKET: bench.socket };
    const child = spawn(process.execPath, ["--input-type=module", "-e", program], { uid: 4242, gid: 4242, env, cwd: "/" });
    const stderr = (await child.stderr.setEncoding("utf8").toArray()).join("");
    expect(stderr).toBe(
      `rotatectl: error: no permission to use ${bench.socket}\n` +
        "rotatectl: hint: only the group of the socket can connect; what its members may do, control.act and control.read say: ask an operator to let you in\n",
    );
  },
);

test("a reader that has seen enough is no fault", async () => {
  const program = `import { main } from ${JSON.stringify(MAIN)}; process.exitCode = await main(["--help"]);`;
  const script = `"$0" --input-type=module -e "$1" | exec true`;
  const { stderr } = await promisify(execFile)("sh", ["-c", script, process.execPath, program]);
  expect(stderr).toBe("");
});

test.each([
  ["stdout", ["check", "/nowhere/rotated.yaml"], 1],
  ["stderr", ["status", "--socket", "/nowhere/control.sock"], 1],
  ["stderr", ["nonsense"], 2],
  ["stdout", ["stores"], 0],
] as const)("a reader of %s that is gone changes nothing about the exit code of %j", async (stream, argv, code) => {
  const program = `import { main } from ${JSON.stringify(MAIN)}; process.exitCode = await main(process.argv.slice(1));`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program, "--", ...argv], { stdio: ["ignore", "pipe", "pipe"] });
  child[stream].destroy();
  child[stream === "stdout" ? "stderr" : "stdout"].resume();
  expect(await once(child, "exit")).toEqual([code, null]);
});

test("a result that cannot be written fails, and says why", async () => {
  const program = `import { main } from ${JSON.stringify(MAIN)}; process.exitCode = await main(["stores"]);`;
  const script = `"$0" --input-type=module -e "$1" > /dev/full`;
  await expect(promisify(execFile)("sh", ["-c", script, process.execPath, program])).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^rotatectl: error: cannot write to stdout: ENOSPC\nrotatectl: hint: .*\n$/),
  });
});

test("one who waits and whose reader is gone does not answer that all is done", async () => {
  await using bench = await openBench();
  bench.control.news = [rotation({ checklist: checklist({ state: "running", text: "one" }) }), rotation({ outcome: "done", endedAt: NOW })];
  const program = `import { main } from ${JSON.stringify(MAIN)}; process.exitCode = await main(["rotate", "prod-openai", "--wait"]);`;
  const env = { ...process.env, ROTATED_SOCKET: bench.socket };
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], { stdio: ["ignore", "ignore", "pipe"], env });
  child.stderr.destroy();
  const [code] = await once(child, "exit");
  expect(code).toBe(130);
});
