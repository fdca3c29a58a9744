import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { openNotify } from "../src/notify.ts";

/** systemd's end of the socket; `@name` is an abstract one. */
const RECEIVER = `
import json, os, socket, struct, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
a = sys.argv[1]
s.bind(chr(0) + a[1:] if a[0] == '@' else a)
print('bound', flush=True)
while True:
    data, ancillary, _, _ = s.recvmsg(4096, 256)
    print(json.dumps({'text': data.decode(), 'pid': struct.unpack('iII', ancillary[0][2])[0]}), flush=True)
`;

const directory = mkdtempSync(join(tmpdir(), "rotated-notify-"));
let receiver: ChildProcess | undefined;

afterEach(() => void receiver?.kill());
afterAll(() => rmSync(directory, { recursive: true, force: true }));

interface Message {
  readonly text: string;
  readonly pid: number;
}

async function receive(address: string): Promise<Message[]> {
  const child = spawn("python3", ["-c", RECEIVER, address], { stdio: ["ignore", "pipe", "inherit"] });
  receiver = child;
  const lines = createInterface({ input: child.stdout });
  const messages: Message[] = [];
  await once(lines, "line");
  lines.on("line", (line) => messages.push(JSON.parse(line)));
  return messages;
}

describe.each([
  ["a path", join(directory, "notify.sock")],
  ["an abstract socket", `@rotated-test-${process.pid}`],
])("on %s", (_, address) => {
  test("every message arrives as systemd reads it, from this very process", async () => {
    const messages = await receive(address);
    const notify = openNotify({ NOTIFY_SOCKET: address });
    const before = process.hrtime.bigint() / 1000n;
    notify.ready("2 credentials");
    notify.status("rotating\nprod-openai");
    notify.watchdog();
    notify.reloading();
    notify.stopping();
    await expect.poll(() => messages.length, { timeout: 5000 }).toBe(5);
    expect(messages.map(({ text }) => text.replace(/\d+$/, "N"))).toEqual([
      "READY=1\nSTATUS=2 credentials",
      "STATUS=rotating prod-openai",
      "WATCHDOG=N",
      "RELOADING=1\nMONOTONIC_USEC=N",
      "STOPPING=N",
    ]);
    const usec = BigInt(messages[3]?.text.split("MONOTONIC_USEC=")[1] ?? 0);
    expect(usec).toBeGreaterThanOrEqual(before);
    expect(usec).toBeLessThanOrEqual(process.hrtime.bigint() / 1000n);
    expect(new Set(messages.map(({ pid }) => pid))).toEqual(new Set([process.pid]));
  });
});

test("nobody listening, no socket at all, or nonsense: nothing happens, and no descriptor is left open", () => {
  const open = () => readdirSync("/proc/self/fd").length;
  openNotify({ NOTIFY_SOCKET: join(directory, "nobody") }).watchdog();
  const before = open();
  for (const NOTIFY_SOCKET of [join(directory, "nobody"), "@nobody-there", "", undefined, "relative", `/${"x".repeat(500)}`]) {
    const notify = openNotify({ NOTIFY_SOCKET });
    for (let round = 0; round < 20; round++) notify.ready("fine");
    notify.stopping();
  }
  expect(open()).toBe(before);
});

test("the watchdog is fed at half of its limit, and only when it watches this process", () => {
  const every = (env: Record<string, string>) => openNotify(env).watchdogEveryMs;
  expect(every({ NOTIFY_SOCKET: "@x", WATCHDOG_USEC: "30000000", WATCHDOG_PID: String(process.pid) })).toBe(15_000);
  expect(every({ NOTIFY_SOCKET: "@x", WATCHDOG_USEC: "30000000" })).toBe(15_000);
  expect(every({ NOTIFY_SOCKET: "@x", WATCHDOG_USEC: "30000000", WATCHDOG_PID: "1" })).toBeUndefined();
  expect(every({ NOTIFY_SOCKET: "@x" })).toBeUndefined();
  expect(every({ WATCHDOG_USEC: "30000000" })).toBeUndefined();
});
