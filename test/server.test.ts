import { execFile } from "node:child_process";
import { chmod, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ControlError } from "../src/api-errors.ts";
import type { Config } from "../src/config/config.ts";
import { AdapterError } from "../src/contract/errors.ts";
import { openLog } from "../src/log.ts";
import { type ControlServer, startServer } from "../src/server.ts";
import { FakeControl } from "./fakes/control.ts";

const http = process.getBuiltinModule("node:http");

let directory: string;
let socketPath: string;
let control: FakeControl;
let server: ControlServer;
let logged: string[];
let callers: Config["control"];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "rotated-server-"));
  socketPath = join(directory, "control.sock");
  control = new FakeControl();
  logged = [];
  callers = { act: [], read: [] };
  server = await start();
});

afterEach(async () => {
  await server.close(100);
  await rm(directory, { recursive: true, force: true });
});

function start(): Promise<ControlServer> {
  const log = openLog("debug", { write: (line) => void logged.push(line) });
  return startServer({ path: socketPath, control, callers: () => callers, log });
}

interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: whatever the server says is judged by the test
  readonly body: any;
}

function call(method: string, path: string, body?: string, headers: Record<string, string> = {}): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const request = http.request({ socketPath, method, path, headers, agent: false }, async (response) => {
    const text = (await response.toArray()).join("");
    resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) });
  });
  request.once("error", reject);
  request.end(body);
  return promise;
}

const KEY = { "idempotency-key": "k1" };

describe("requests", () => {
  test("reach the control with who asked, and are answered in JSON", async () => {
    const answer = await call("POST", "/v1/rotate", '{"name":"prod-openai","now":true,"reason":"test"}', KEY);
    expect(answer).toMatchObject({ status: 200, body: { rotations: [{ started: true, rotation: { id: 12 } }], refused: [] } });
    const [asked] = control.callsOf("rotate");
    expect(asked?.request).toEqual({ name: "prod-openai", now: true, reason: "test" });
    expect(asked?.ask.actor).toMatch(new RegExp(`\\(uid ${process.getuid?.()}\\)$`));
    expect(asked?.ask.idempotencyKey).toBe("k1");
  });

  test("carry numbers and names in path and query", async () => {
    control.news = [];
    await call("GET", "/v1/history?limit=2&before=9&name=prod-openai");
    expect(control.callsOf("history")[0]?.request).toEqual({ name: "prod-openai", limit: 2, before: 9 });
    await call("GET", "/v1/credentials/a%2Fb");
    expect(control.callsOf("show")[0]?.request).toEqual({ name: "a/b" });
  });

  test.each([
    ["an unknown path", "GET", "/v1/nothing", undefined, 404, "unknownRoute"],
    ["a method that is not the route's", "POST", "/v1/status", undefined, 404, "unknownRoute"],
    ["an unknown field", "POST", "/v1/rotate", '{"name":"a","force":true}', 400, "invalid"],
    ["both a name and all", "POST", "/v1/pause", '{"name":"a","all":true}', 400, "invalid"],
    ["no JSON", "POST", "/v1/pause", "name=a", 400, "invalid"],
    ["a list", "POST", "/v1/pause", "[]", 400, "invalid"],
    ["a number that is none", "GET", "/v1/history?limit=many", undefined, 400, "invalid"],
    ["a parameter given twice", "GET", "/v1/history?limit=1&limit=2", undefined, 400, "invalid"],
    ["a path that is not encoded", "GET", "/v1/credentials/%zz", undefined, 400, "invalid"],
    ["an unknown credential", "GET", "/v1/credentials/nope", undefined, 404, "unknownCredential"],
    ["a body beyond 64 KiB", "POST", "/v1/pause", JSON.stringify({ name: "a".repeat(70_000) }), 413, "tooLarge"],
  ])("are refused with %s", async (_, method, path, body, status, code) => {
    expect(await call(method, path, body, KEY)).toMatchObject({ status, body: { error: { code } } });
  });

  test("name what is wrong with the form that was meant, with a hint", async () => {
    const tooLong = await call("POST", "/v1/rotate", JSON.stringify({ name: "a", reason: "x".repeat(501) }), KEY);
    expect(tooLong.body.error).toEqual({
      code: "invalid",
      message: "rotate: reason: is longer than 500 characters",
      hint: "rotatectl rotate --help says what it takes",
    });
    const both = await call("POST", "/v1/pause", '{"name":"a","all":true}', KEY);
    expect(both.body.error.message).toBe("pause: either `name` or `all: true`");
  });

  test("that start something need an idempotency key that can be kept", async () => {
    const without = await call("POST", "/v1/rotate", '{"name":"prod-openai"}');
    expect(without).toMatchObject({ status: 400, body: { error: { message: "no Idempotency-Key" } } });
    const spaced = await call("POST", "/v1/rotate", '{"name":"prod-openai"}', { "idempotency-key": "a b" });
    expect(spaced.status).toBe(400);
    expect(control.callsOf("rotate")).toHaveLength(0);
  });

  test("of which the control cannot do what is asked get its error, and a fault shows nothing of itself", async () => {
    control.fail("cancel", new ControlError("conflict", "key_abc is off already", "let it go on"));
    const conflict = await call("POST", "/v1/credentials/x/cancel");
    expect(conflict).toEqual({
      status: 409,
      body: { error: { code: "conflict", message: "key_abc is off already", hint: "let it go on" } },
    });
    control.fail("adopt", new AdapterError("unauthorized", "openai: list keys: status 401"));
    expect(await call("POST", "/v1/credentials/x/adopt")).toMatchObject({ status: 502, body: { error: { code: "outside" } } });
    control.fail("status", new Error("table canary is locked"));
    const fault = await call("GET", "/v1/status");
    expect(fault.status).toBe(500);
    expect(JSON.stringify(fault.body)).not.toContain("canary");
    expect(logged.join()).toContain("table canary is locked");
  });

  test("that trickle in are cut off", { timeout: 15_000 }, async () => {
    const socket = connect(socketPath);
    socket.write("GET /v1/status HTTP/1.1\r\nhost: x\r\n");
    const trickle = setInterval(() => socket.write("x: y\r\n"), 200);
    const text = (await socket.setEncoding("utf8").toArray()).join("");
    clearInterval(trickle);
    expect(text).toMatch(/^HTTP\/1.1 408 /);
  });

  test("of which a caller that hangs up sends a part only are no fault of ours", async () => {
    const socket = connect(socketPath);
    socket.end("POST /v1/pause HTTP/1.1\r\nhost: rotated\r\ncontent-length: 100\r\n\r\n{");
    await expect.poll(() => logged.join("")).toContain('"path":"/v1/pause"');
    socket.destroy();
    expect(logged.join("")).not.toContain("request failed");
    expect(control.calls).toEqual([]);
  });

  test("that wait for news are dropped when the caller hangs up", async () => {
    const socket = connect(socketPath);
    socket.write("GET /v1/rotations/12?waitMs=25000 HTTP/1.1\r\nhost: x\r\n\r\n");
    await expect.poll(() => control.callsOf("watch").length).toBe(1);
    socket.destroy();
    await expect.poll(() => control.callsOf("watch")[0]?.ask.signal.aborted).toBe(true);
  });
});

describe("the socket", () => {
  test("has mode 0660 whatever the mask, and goes away with the server", async () => {
    await server.close();
    const mask = process.umask(0o077);
    server = await start();
    expect(process.umask(mask)).toBe(0o077);
    expect((await stat(socketPath)).mode & 0o777).toBe(0o660);
    await server.close();
    await expect(stat(socketPath)).rejects.toThrow("ENOENT");
  });

  test("is left to the process that answers on it", async () => {
    await expect(start()).rejects.toThrow(`control socket: another process answers on ${socketPath}`);
    expect(await call("GET", "/v1/status")).toMatchObject({ status: 200 });
  });

  test("that a dead daemon left behind is replaced; another kind of file is not", async () => {
    const path = join(directory, "stale.sock");
    const program = `require("node:net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, "SIGKILL"))`;
    await expect(promisify(execFile)(process.execPath, ["-e", program])).rejects.toThrow();
    expect((await stat(path)).isSocket()).toBe(true);
    const options = { control, callers: () => callers, log: openLog("silent") };
    const again = await startServer({ path, ...options });
    await again.close();
    const file = join(directory, "file");
    await writeFile(file, "precious");
    await expect(startServer({ path: file, ...options })).rejects.toThrow("is there and is no socket");
  });

  test("that cannot be made says why", async () => {
    const options = { control, callers: () => callers, log: openLog("silent") };
    await expect(startServer({ path: join(directory, "missing", "x.sock"), ...options })).rejects.toThrow(
      /control socket: listen on .*ENOENT|EACCES/,
    );
  });

  test("closes at once although somebody waits for news", async () => {
    const waiting = call("GET", "/v1/rotations/12?waitMs=25000");
    await expect.poll(() => control.callsOf("watch").length).toBe(1);
    const since = performance.now();
    await server.close();
    expect(await waiting).toMatchObject({ status: 503, body: { error: { code: "unavailable" } } });
    expect(performance.now() - since).toBeLessThan(1000);
  });
});

const ALICE = 4242;
const BOB = 4343;
const root = process.getuid?.() === 0;

describe.skipIf(!root)(`callers of other accounts${root ? "" : " (skipped: only root can become them)"}`, () => {
  /** One request by another account, with its primary and further groups. */
  async function callAs(uid: number, gids: readonly number[], method: string, path: string): Promise<Answer> {
    await chmod(directory, 0o755);
    await chmod(socketPath, 0o666);
    const program = [
      "import os, socket, sys",
      "uid, gids, path, request = int(sys.argv[1]), [int(g) for g in sys.argv[2].split(',')], sys.argv[3], sys.argv[4]",
      "os.setgroups(gids); os.setgid(gids[0]); os.setuid(uid)",
      "s = socket.socket(socket.AF_UNIX); s.connect(path)",
      "s.sendall((request + ' HTTP/1.1\\r\\nhost: x\\r\\nidempotency-key: k\\r\\nconnection: close\\r\\ncontent-length: 0\\r\\n\\r\\n').encode())",
      "while (b := s.recv(65536)): sys.stdout.write(b.decode())",
    ].join("\n");
    const { stdout } = await promisify(execFile)("python3", ["-c", program, String(uid), gids.join(), socketPath, `${method} ${path}`]);
    const [head = "", body = ""] = stdout.split("\r\n\r\n", 2);
    return { status: Number(head.split(" ")[1]), body: JSON.parse(body) };
  }
  const read = (uid: number, gids: readonly number[]) => callAs(uid, gids, "GET", "/v1/status");
  const act = (uid: number, gids: readonly number[]) => callAs(uid, gids, "POST", "/v1/credentials/prod-openai/cancel");

  test("may do nothing without a rule, and are told which line would change that", async () => {
    const refused = await act(ALICE, [ALICE]);
    expect(refused).toMatchObject({ status: 403, body: { error: { code: "notAllowed" } } });
    expect(refused.body.error.message).toBe("uid 4242 may not change anything here");
    expect(refused.body.error.hint).toContain("{ user: 4242 }");
    expect(refused.body.error.hint).toContain("control.act");
    expect((await read(ALICE, [ALICE])).body.error.hint).toContain("control.read");
    expect(control.calls).toHaveLength(0);
  });

  test("are known by user and by any of their groups, at once after a reload", async () => {
    callers = { act: [{ user: ALICE }], read: [{ group: 5151 }] };
    expect((await act(ALICE, [ALICE])).status).toBe(200);
    expect(control.callsOf("cancel")[0]?.ask.actor).toBe("uid 4242");
    expect((await read(ALICE, [ALICE])).status).toBe(200);
    expect((await read(BOB, [BOB])).status).toBe(403);
    expect((await read(BOB, [BOB, 5151])).status).toBe(200);
    expect((await act(BOB, [BOB, 5151])).status).toBe(403);
    callers = { act: [{ group: 5151 }], read: [] };
    expect((await act(BOB, [BOB, 5151])).status).toBe(200);
    expect((await act(ALICE, [ALICE])).status).toBe(403);
  });

  test("are known by name, with many groups", async () => {
    callers = { act: [{ user: "nobody" }, { group: "daemon" }], read: [] };
    expect((await act(65534, [65534])).status).toBe(200);
    expect(control.callsOf("cancel")[0]?.ask.actor).toBe("nobody (uid 65534)");
    const many = Array.from({ length: 300 }, (_, index) => 20_000 + index);
    expect((await act(BOB, [BOB, ...many])).status).toBe(403);
    expect((await act(BOB, [BOB, ...many, 1])).status).toBe(200);
  });

  test("include root only while no rule leaves it out", async () => {
    expect((await call("GET", "/v1/status")).status).toBe(200);
    callers = { act: [{ user: ALICE }], read: [] };
    expect((await call("GET", "/v1/status")).status).toBe(403);
  });
});

test("a socket without an identity is refused", async () => {
  const { peerOf } = await import("../src/peer.ts");
  const socket = connect(socketPath);
  socket.destroy();
  expect(() => peerOf(socket)).toThrow("read the caller's identity");
});
