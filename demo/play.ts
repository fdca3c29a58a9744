import { mkdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Load } from "../test/support/load.ts";
import { openClaw, standIn } from "./consumers.ts";
import { NAME, type Rotated, type RunOptions, SHORTENED, startDaemon } from "./daemon.ts";
import type { Options } from "./options.ts";
import { installPeers } from "./peers.ts";
import { screen } from "./screen.ts";
import type { Stage } from "./stage.ts";
import { STORES } from "./stores.ts";
import { askWith, type Vendor } from "./vendor.ts";
import { neededBy, openVendor } from "./vendors.ts";

/** So that there were requests before the rotation, and after it. */
const QUIET_MS = 700;
/** Fewer requests than this would prove little. */
const ENOUGH = 20;

/** Rotates one key under load and shows what came of it. Whether everything was proven is the answer. */
export async function play(stage: Stage, options: Options): Promise<boolean> {
  screen.title("rotated replaces an API key while it is in use");
  screen.text("No account is needed: all of it is on this machine, and but for the stand-ins that are named, it is real.\n");
  await installPeers(stage, [
    ...(options.openclaw ? (["openclaw"] as const) : []),
    ...STORES[options.store].needs,
    ...neededBy(options.vendor),
  ]);
  const vendor = await openVendor(stage, options.vendor);
  screen.fact("vendor", vendor.title);

  // OpenClaw is given a directory of its own, the only one of /tmp that it sees.
  mkdirSync(stage.path("app"), { mode: 0o700 });
  const store = await STORES[options.store].open(stage, vendor);
  screen.fact("store", store.title);
  const consumer = await (options.openclaw ? openClaw : standIn)(stage, vendor, store);
  const rotated = await startDaemon(stage, vendor, store, consumer);
  screen.fact("daemon", `rotated, process ${rotated.pid}, ready after ${rotated.readyMs} ms`);
  screen.fact("consumer", await consumer.start());
  screen.fact("shortened", SHORTENED);

  if (consumer.pairs) await must(rotated, ["pair", "app"]);
  await must(rotated, ["adopt", NAME, ...(vendor.identifies ? [] : ["--key-id", vendor.key.id])]);
  if (vendor.makeByHand) await bring(rotated, await vendor.makeByHand());

  const load = consumer.startLoad();
  stage.defer(() => load.stop());
  screen.gap();
  screen.text(`${consumer.clients} clients now use the consumer without end.`);
  await sleep(QUIET_MS, undefined, { signal: stage.signal });
  if (load.failed > 0) throw new Error(`the consumer does not serve: ${load.failures[0]}`);
  const rotation = await shown(rotated, ["rotate", NAME, "--now", "--wait"]);
  const servedInTime = load.served;
  await sleep(QUIET_MS, undefined, { signal: stage.signal });
  await load.stop();
  const afterwards = load.served - servedInTime;

  screen.gap();
  return [
    rotation.code === 0,
    ...(await proveServed(vendor, load, afterwards)),
    ...(await proveDead(stage, vendor, await store.current())),
    await proveRecorded(rotated, vendor),
  ].every((holds) => holds);
}

/** Runs rotatectl before the eyes of the reader. */
async function shown(rotated: Rotated, args: readonly string[], options?: RunOptions): Promise<{ readonly code: number | null }> {
  screen.command(["rotatectl", ...args].join(" "));
  return rotated.rotatectl(args, options);
}

async function must(rotated: Rotated, args: readonly string[], options?: RunOptions): Promise<void> {
  const { code } = await shown(rotated, args, options);
  if (code !== 0) throw new Error(`rotatectl ${args.join(" ")} ended with exit code ${code}`);
}

/** What a person does beforehand, whose vendor has no call that makes a key. */
async function bring(rotated: Rotated, secret: string): Promise<void> {
  screen.gap();
  screen.text("This vendor has no call that makes a key: a person has made one in its console, and pastes it.");
  await must(rotated, ["intake", NAME], { input: secret });
}

async function proveServed(vendor: Vendor, load: Load, afterwards: number): Promise<readonly boolean[]> {
  const enough = load.served >= ENOUGH && afterwards > 0;
  const why = load.failures.length === 0 ? "" : `: ${[...new Set(load.failures)].join(", ")}`;
  screen.proof(load.failed === 0 && enough, "requests", `${load.served} served, ${load.failed} failed${why}`);
  const { old, others } = await vendor.served();
  screen.proof(
    old > 0 && others > 0,
    "vendor",
    `answered ${old} requests with the old key and ${others} with the new one, those of rotated included`,
  );
  return [load.failed === 0, enough, old > 0, others > 0];
}

/** One request with the old key and one with the new key, as anybody could make them. */
async function proveDead(stage: Stage, vendor: Vendor, secret = ""): Promise<readonly boolean[]> {
  const before = await askWith(vendor, vendor.key.secret, stage.signal);
  const dead = vendor.refuses(before);
  screen.proof(dead, "old key", `a request with ${vendor.key.id} is answered ${before.status}${before.code ? ` ${before.code}` : ""}`);
  const now = await askWith(vendor, secret, stage.signal);
  const serves = now.status === 200 && secret !== vendor.key.secret;
  screen.proof(serves, "new key", `a request with the value in the store is answered ${now.status}`);
  return [dead, serves];
}

/** The line of the history that says so, too. */
async function proveRecorded(rotated: Rotated, vendor: Vendor): Promise<boolean> {
  const { output } = await rotated.rotatectl(["history", NAME], { capture: true });
  const line = output.split("\n").find((text) => text.includes(`${vendor.key.id} proven dead`));
  screen.proof(line !== undefined, "history", line?.replace(/ {2,}/g, "  ") ?? "does not say that the old key is dead");
  return line !== undefined;
}
