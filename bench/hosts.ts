import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { openDatabase } from "../src/state/database.ts";
import { openStateDirectory } from "../src/state/directory.ts";
import { openLedger } from "../src/state/ledger.ts";
import type { Host } from "../test/support/host.ts";
import { RotationHost } from "../test/support/rotation-host.ts";

const MIGRATIONS = new URL("../migrations/", import.meta.url);

/**
 * A host with one credential that rotates against the fakes, and so many more that have a key and a schedule and wait; this account
 * is granted the first `granted` of these.
 */
export async function hostWith(credentials: number, timing: object = {}, granted = 0): Promise<RotationHost> {
  const made = await RotationHost.make({ timing });
  const config = made.config(made.gateway.url, { timing });
  const names = Array.from({ length: credentials - 1 }, (_, index) => `waiting-${index}`);
  const waiting = names.map((name, index) => [
    name,
    {
      ...config.credentials.main,
      store: { use: "local", path: made.host.path("secrets.json"), field: `/openai/${name}` },
      resolve: index < granted ? [{ user: process.getuid?.() }] : [],
    },
  ]);
  made.host.configure({ ...config, credentials: { ...config.credentials, ...Object.fromEntries(waiting) } });
  const values = Object.fromEntries(names.map((name) => [name, `sk-canary-${name}`]));
  made.host.write("secrets.json", JSON.stringify({ openai: { apiKey: made.vendor.key.secret, ...values } }));
  seed(made.host, names);
  return made;
}

/** Writes a current key of each into the ledger, as an adoption would. */
function seed(host: Host, names: readonly string[]): void {
  const directory = openStateDirectory(host.path("state"), randomBytes);
  directory.fingerprintKey(false);
  const db = openDatabase(directory.database, MIGRATIONS);
  const now = Date.now();
  const none = { expiresAt: null, disabledAt: null, revokeAnnouncedAt: null, revokedAt: null, leftAt: null, probedAt: null, deadAt: null };
  const ledger = openLedger(db, { now: () => now });
  db.transaction(() => {
    for (const name of names) {
      ledger.credentials.add(name, now);
      const ids = { credential: name, provider: "openai", version: `rk-${name}`, vendorId: `key_${name}`, fingerprint: null };
      ledger.keys.insert({ ...none, ...ids, stage: "current", createdAt: now, promotedAt: now });
    }
  }).immediate();
  db.close();
}

/** The environment that the shipped unit gives the daemon: it is about memory and quick starts. The cache is the host's own. */
export function unitEnvironment(host: Host): Readonly<Record<string, string>> {
  const unit = readFileSync(new URL("../systemd/rotated.service", import.meta.url), "utf8").replaceAll("%C", host.path("cache"));
  const settings = [...unit.matchAll(/^Environment=(.*)$/gm)].flatMap(([, line = ""]) => line.split(" "));
  return Object.fromEntries(settings.map((setting) => [setting.slice(0, setting.indexOf("=")), setting.slice(setting.indexOf("=") + 1)]));
}

/** Starts the daemon as the unit would; milliseconds from before its exec until it says on stderr that it is ready, and what it says itself. */
export async function timedStart(host: Host): Promise<{ readonly outsideMs: number; readonly ownMs: number }> {
  const from = performance.now();
  const daemon = host.launch({ env: { LOG_LEVEL: "info", ...unitEnvironment(host) } });
  let text = "";
  return new Promise((resolve, reject) => {
    daemon.stderr?.on("data", (part: string) => {
      text += part;
      const [, ownMs] = /"readyMs":(\d+)/.exec(text) ?? [];
      if (ownMs !== undefined) resolve({ outsideMs: performance.now() - from, ownMs: Number(ownMs) });
    });
    once(daemon, "exit").then(() => reject(new Error(`the daemon did not get ready:\n${host.tail()}`)), reject);
  });
}
