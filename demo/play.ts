import { mkdirSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Load } from "../test/support/load.ts";
import { startOpenClaw, startStandIn } from "./consumers.ts";
import { NAME, type Rotated, SHORTENED, startDaemon } from "./daemon.ts";
import { screen } from "./screen.ts";
import type { Stage } from "./stage.ts";
import { askWith, chatsByKey, startVendor, storedSecret, type Vendor } from "./vendor.ts";

/** So that there were requests before the rotation, and after it. */
const QUIET_MS = 700;
/** Fewer requests than this would prove little. */
const ENOUGH = 20;

/** Rotates one key under load and shows what came of it. Whether everything was proven is the answer. */
export async function play(stage: Stage, options: { readonly openclaw: boolean }): Promise<boolean> {
  screen.title("rotated replaces an API key while it is in use");
  screen.text("No account is needed: the vendor is a stand-in for OpenAI on this machine. The rest is real.\n");
  const vendor = await startVendor(stage);
  screen.fact("vendor", `a stand-in with OpenAI's admin and inference API, ${vendor.url}`);

  // OpenClaw is given a directory of its own, the only one of /tmp that it sees.
  mkdirSync(stage.path("app"));
  const secretFile = stage.path("app/secrets.json");
  writeFileSync(secretFile, `${JSON.stringify({ openai: { apiKey: vendor.key.secret } }, undefined, 2)}\n`, { mode: 0o600 });
  const consumer = await (options.openclaw ? startOpenClaw : startStandIn)(stage, vendor, secretFile);
  screen.fact("store", `${secretFile}, the field /openai/apiKey`);
  const rotated = await startDaemon(stage, vendor, consumer, secretFile);
  screen.fact("daemon", `rotated, process ${rotated.pid}, ready after ${rotated.readyMs} ms`);
  screen.fact("shortened", SHORTENED);

  if (consumer.pairs) await must(rotated, ["pair", "app"]);
  await must(rotated, ["adopt", NAME]);

  const load = consumer.startLoad();
  stage.defer(() => load.stop());
  screen.gap();
  screen.text("Four clients now use the consumer without a pause.");
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
    ...(await proveServed(stage, vendor, load, afterwards)),
    ...(await proveDead(stage, vendor, storedSecret(secretFile))),
    await proveRecorded(rotated, vendor),
  ].every((holds) => holds);
}

/** Runs rotatectl before the eyes of the reader. */
async function shown(rotated: Rotated, args: readonly string[]): Promise<{ readonly code: number | null }> {
  screen.command(["rotatectl", ...args].join(" "));
  return rotated.rotatectl(args);
}

async function must(rotated: Rotated, args: readonly string[]): Promise<void> {
  const { code } = await shown(rotated, args);
  if (code !== 0) throw new Error(`rotatectl ${args.join(" ")} ended with exit code ${code}`);
}

async function proveServed(stage: Stage, vendor: Vendor, load: Load, afterwards: number): Promise<readonly boolean[]> {
  const enough = load.served >= ENOUGH && afterwards > 0;
  const why = load.failures.length === 0 ? "" : `: ${[...new Set(load.failures)].join(", ")}`;
  screen.proof(load.failed === 0 && enough, "requests", `${load.served} served, ${load.failed} failed${why}`);
  const byKey = await chatsByKey(vendor, stage.signal);
  const old = byKey.get(vendor.key.id) ?? 0;
  const others = [...byKey.values()].reduce((sum, count) => sum + count, 0) - old;
  screen.proof(
    old > 0 && others > 0,
    "vendor",
    `answered ${old} requests with the old key and ${others} with the new one, those of rotated included`,
  );
  return [load.failed === 0, enough, old > 0, others > 0];
}

/** One request with the old key and one with the new key, as anybody could make them. */
async function proveDead(stage: Stage, vendor: Vendor, secret: string): Promise<readonly boolean[]> {
  const before = await askWith(vendor, vendor.key.secret, stage.signal);
  const dead = before.status === 401 && before.code === "invalid_api_key";
  screen.proof(dead, "old key", `a request with ${vendor.key.id} is answered ${before.status}${before.code ? ` ${before.code}` : ""}`);
  const now = await askWith(vendor, secret, stage.signal);
  const serves = now.status === 200 && secret !== vendor.key.secret;
  screen.proof(serves, "new key", `a request with the value in the store is answered ${now.status}`);
  return [dead, serves];
}

/** The line of the history that says so, too. */
async function proveRecorded(rotated: Rotated, vendor: Vendor): Promise<boolean> {
  const { output } = await rotated.rotatectl(["history", NAME], true);
  const line = output.split("\n").find((text) => text.includes(`${vendor.key.id} proven dead`));
  screen.proof(line !== undefined, "history", line?.replace(/ {2,}/g, "  ") ?? "does not say that the old key is dead");
  return line !== undefined;
}
