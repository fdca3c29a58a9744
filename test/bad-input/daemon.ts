import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import type { RotationView } from "../../src/api-views.ts";
import type { Host } from "../support/host.ts";

/** A line of the daemon's log. */
export interface Line {
  readonly level: string;
  readonly msg: string;
  readonly hint?: string;
  readonly config?: string;
  readonly path?: string;
  readonly line?: number;
  readonly reason?: string;
  readonly code?: string;
}

const lines = (host: Host): Line[] =>
  host.log
    .split("\n")
    .filter((text) => text.startsWith("{"))
    .map((text) => JSON.parse(text) as Line);

export const errors = (host: Host): Line[] => lines(host).filter(({ level }) => level === "error");

/** Starts a daemon that cannot start, and gives its exit code and what it says. */
export async function refusedStart(
  host: Host,
): Promise<{ code: number | null; said: readonly { msg: string; hint: string | undefined; config: string | undefined }[] }> {
  const before = host.log.length;
  const daemon = host.launch();
  await once(daemon, "close");
  const said = host.log
    .slice(before)
    .split("\n")
    .filter((text) => text.startsWith("{"));
  return {
    code: daemon.exitCode,
    said: said
      .map((text) => JSON.parse(text) as Line)
      .filter(({ level }) => level === "error")
      .map(({ msg, hint, config }) => ({ msg, hint, config })),
  };
}

/** Lets the daemon read its configuration again, and waits until it has said what it thinks of it. */
export async function reload(host: Host): Promise<readonly Line[]> {
  const before = host.log.length;
  host.daemon?.kill("SIGHUP");
  return await eventually(() => {
    const fresh = host.log
      .slice(before)
      .split("\n")
      .filter((text) => text.startsWith("{") && text.endsWith("}"))
      .map((text) => JSON.parse(text) as Line);
    return fresh.some(({ msg }) => /^(configuration read again|the configuration is refused)/.test(msg)) ? fresh : undefined;
  }, "the daemon said nothing of its configuration");
}

/** Waits until the open rotation tells why it does not get on. */
export async function waiting(host: Host, why: RegExp): Promise<RotationView> {
  return await eventually(async () => {
    const { open } = await host.show("main");
    return open?.lastError != null && why.test(open.lastError.message) ? open : undefined;
  }, `no rotation waits for ${why}`);
}

/** Asks until there is an answer. */
export async function eventually<T>(ask: () => T | undefined | Promise<T | undefined>, otherwise: string, ms = 60_000): Promise<T> {
  for (const until = Date.now() + ms; ; await sleep(20)) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (Date.now() > until) throw new Error(otherwise);
  }
}
