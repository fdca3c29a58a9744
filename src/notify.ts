import { closeSync } from "node:fs";
import { libc } from "./libc.ts";

/** What systemd is told (sd_notify(3)). Does nothing without a service manager; a message that is lost never fails the daemon. */
export interface Notify {
  ready(status: string): void;
  /** One line for `systemctl status`; no secret belongs in it. */
  status(status: string): void;
  /** Call it only when something has been seen to make progress. */
  watchdog(): void;
  reloading(): void;
  stopping(): void;
  /** How often {@link Notify.watchdog} should be called at the latest: half of the unit's limit; `undefined` when nobody watches. */
  readonly watchdogEveryMs: number | undefined;
}

export function openNotify(env: Readonly<Record<string, string | undefined>>): Notify {
  const address = socketAddress(env["NOTIFY_SOCKET"]);
  const send = (...lines: string[]) => {
    if (address !== undefined) sendDatagram(address, lines.join("\n"));
  };
  const oneLine = (text: string) => `STATUS=${text.replaceAll("\n", " ")}`;
  return {
    ready: (status) => send("READY=1", oneLine(status)),
    status: (status) => send(oneLine(status)),
    watchdog: () => send("WATCHDOG=1"),
    reloading: () => send("RELOADING=1", `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`),
    stopping: () => send("STOPPING=1"),
    watchdogEveryMs: address === undefined ? undefined : watchdogEveryMs(env),
  };
}

function watchdogEveryMs(env: Readonly<Record<string, string | undefined>>): number | undefined {
  const [limitUsec, pid] = [Number(env["WATCHDOG_USEC"]), env["WATCHDOG_PID"]];
  const ours = pid === undefined || pid === "" || Number(pid) === process.pid;
  return ours && limitUsec > 0 ? limitUsec / 2000 : undefined;
}

const [AF_UNIX, SOCK_DGRAM, SOCK_CLOEXEC, MSG_DONTWAIT, MSG_NOSIGNAL] = [1, 2, 0x80000, 0x40, 0x4000] as const;

/** A `sockaddr_un`. A leading `@` stands for the NUL byte of an abstract socket, which has no terminator. */
function socketAddress(path: string | undefined): Uint8Array | undefined {
  if (path === undefined || !/^[/@]./.test(path)) return undefined;
  const name = path.startsWith("@") ? `\0${path.slice(1)}` : `${path}\0`;
  return Buffer.concat([Buffer.from([AF_UNIX, 0]), Buffer.from(name)]);
}

function sendDatagram(address: Uint8Array, text: string): void {
  try {
    const fd = libc().socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return;
    const data = Buffer.from(text);
    libc().sendto(fd, data, data.length, MSG_NOSIGNAL | MSG_DONTWAIT, address, address.length);
    closeSync(fd);
  } catch {
    // No C library, no message: the daemon works without.
  }
}
