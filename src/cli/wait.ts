import { setTimeout as sleep } from "node:timers/promises";
import { MAX_WATCH_MS, type WatchReply } from "../api.ts";
import type { RotationView } from "../api-views.ts";
import type { Cli } from "./cli.ts";
import { type Display, openDisplay } from "./display.ts";
import { INTERRUPTED } from "./io.ts";
import { span } from "./output.ts";
import { isAway } from "./unreachable.ts";

/** Connections that wait for news at the same time: the daemon has 256 for everybody. */
const MOST_WATCHES = 64;
/** How long one of them waits where rotations must share them. */
const SHARED_WATCH_MS = 1000;

/** Asks for the news of one rotation. */
type Watch = (id: number, after: number) => Promise<WatchReply>;

/**
 * Shows rotations until each is over or stuck, also over restarts of the daemon, and sets the exit code to that of the worst. One
 * that waits for a person's key goes on by itself once somebody has brought it: that is shown, and waited for.
 * Ctrl-C ends the watching only. Answers how the rotations stand then.
 */
export async function waitFor(cli: Cli, rotations: readonly RotationView[]): Promise<readonly RotationView[]> {
  const interrupted = cli.io.interrupt();
  const failed = new AbortController();
  const ends = AbortSignal.any([interrupted, failed.signal]);
  try {
    const open = rotations.map((rotation) => ({ rotation, display: openDisplay(cli.io, rotation, rotations.length > 1) }));
    const watch = openWatch(cli, ends, rotations.length);
    const ended = await Promise.all(open.map(({ rotation, display }) => follow(cli, rotation, ends, display, watch)));
    cli.exitCode = Math.max(0, ...ended.map(exitCode));
    return ended;
  } catch (error) {
    // Else the others would go on, and the process with them, for as long as their rotations take.
    failed.abort(error);
    if (!interrupted.aborted) throw error;
    cli.io.err("rotatectl: stopped watching; the daemon goes on: see rotatectl status");
    cli.exitCode = INTERRUPTED;
    return [];
  }
}

/** Watches `count` rotations through few connections: those that find none free wait for their turn. */
function openWatch(cli: Cli, signal: AbortSignal, count: number): Watch {
  const waitMs = count > MOST_WATCHES ? SHARED_WATCH_MS : MAX_WATCH_MS;
  const waiting: (() => void)[] = [];
  let free = MOST_WATCHES;
  return async (id, after) => {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await cli.client.call("watch", { id, after, waitMs }, signal);
    } finally {
      const next = waiting.shift();
      if (next === undefined) free += 1;
      else next();
    }
  };
}

/** How it ended, in one line. */
export function verdict(rotation: RotationView): string {
  const took = rotation.endedAt === null ? "" : ` after ${span(rotation.endedAt - rotation.startedAt)}`;
  if (rotation.outcome === "done") return `${rotation.credential}: ${rotation.plan} done${took}`;
  const why = rotation.lastError === null ? "" : `: ${rotation.lastError.message}`;
  return `${rotation.credential}: ${rotation.plan} ${rotation.outcome ?? "stuck"}${took}${why}`;
}

function exitCode(rotation: RotationView): number {
  if (rotation.outcome === "done") return 0;
  return rotation.outcome === null ? 3 : 1;
}

async function follow(cli: Cli, first: RotationView, ends: AbortSignal, display: Display, watch: Watch): Promise<RotationView> {
  try {
    for (let rotation = first, after = 0; ; ) {
      display.update(rotation);
      if (rotation.outcome !== null) return rotation;
      if (rotation.stuck !== null && rotation.wanted === null) return tellStuck(cli, rotation, rotation.stuck, display);
      const reply = await news(cli, () => watch(rotation.id, after), ends, display);
      rotation = reply.rotation;
      after = reply.events.at(-1)?.id ?? after;
    }
  } finally {
    display.end();
  }
}

function tellStuck(cli: Cli, rotation: RotationView, stuck: { reason: string; hint: string }, display: Display): RotationView {
  display.end();
  cli.io.err(`rotatectl: error: ${rotation.credential}: stuck in ${rotation.step}: ${stuck.reason}`);
  cli.io.err(`rotatectl: hint: ${stuck.hint || `rotatectl retry ${rotation.credential}, or rotatectl abandon ${rotation.credential}`}`);
  return rotation;
}

async function news(cli: Cli, watch: () => Promise<WatchReply>, signal: AbortSignal, display: Display): Promise<WatchReply> {
  const { everyMs, limitMs } = cli.io.reconnect;
  for (let awaySince: number | undefined; ; ) {
    try {
      return await watch();
    } catch (error) {
      if (signal.aborted || !isAway(error)) throw error;
      if (awaySince === undefined) display.note("the daemon is away; waiting for it to come back");
      awaySince ??= cli.io.now();
      if (cli.io.now() - awaySince > limitMs) throw error;
      await sleep(everyMs, undefined, { signal });
    }
  }
}
