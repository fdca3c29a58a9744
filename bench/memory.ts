import { setTimeout as sleep } from "node:timers/promises";
import { parse } from "yaml";
import { PLUG_STORES, type PlugStoreName } from "../test/kill/plug-stores.ts";
import type { RotationHost } from "../test/support/rotation-host.ts";
import { hostWith, unitEnvironment } from "./hosts.ts";
import { emptyNode, pidOf, residentMb } from "./process.ts";
import type { Measured } from "./report.ts";
import { figure } from "./stats.ts";

const CREDENTIALS = 100;
/** How long a daemon may settle before it counts as idle. */
const SETTLE_MS = 5000;

/** Each store that a daemon may have for all of its credentials, and the most that it may then hold. */
const MOST_MB: Readonly<Record<PlugStoreName, number>> = { file: 110, vault: 130, "aws-secrets-manager": 130 };

/** Memory after one rotation, idle again, with each store. */
export async function measureMemory(): Promise<readonly Measured[]> {
  const empty = emptyNode();
  try {
    const figures: Measured[] = [];
    for (const [store, most] of Object.entries(MOST_MB) as [PlugStoreName, number][]) {
      const { value, fresh } = await measureStore(store);
      figures.push({
        what: `memory (RSS), ${CREDENTIALS} credentials, ${store}`,
        value,
        unit: "MB",
        target: { most },
        peer: { name: "empty node", value: residentMb(pidOf(empty)) },
        note: `idle after a rotation; ${figure(fresh)} MB when it was ready`,
      });
    }
    return figures;
  } finally {
    empty.kill("SIGKILL");
  }
}

async function measureStore(store: PlugStoreName): Promise<{ readonly value: number; readonly fresh: number }> {
  const made = await hostWith(CREDENTIALS);
  const kept = store === "file" ? undefined : await keepIn(store, made);
  try {
    const { host } = made;
    await host.start({ env: { LOG_LEVEL: "info", ...unitEnvironment(host), ...kept?.env } });
    const fresh = residentMb(pidOf(host.daemon));
    await host.client.call("pair", { consumer: "gateway" });
    await host.client.call("adopt", { name: "main" });
    const { id } = await made.rotate();
    const { outcome, lastError } = await host.settled(id);
    if (outcome !== "done") throw new Error(`the rotation ended ${outcome}: ${lastError?.message}`);
    await sleep(SETTLE_MS);
    return { value: residentMb(pidOf(host.daemon)), fresh };
  } finally {
    await kept?.close();
    await made.stop();
  }
}

interface HostConfig {
  readonly stores: Readonly<Record<string, object>>;
  readonly credentials: Readonly<Record<string, { readonly store: object }>>;
}

/** Gives all credentials of a host another primary store, with the file that the gateway reads as its mirror. */
async function keepIn(name: PlugStoreName, { host, vendor }: RotationHost) {
  const kept = await PLUG_STORES[name](host);
  await kept.begin(vendor.key.secret);
  const config = parse(host.read("rotated.yaml")) as HostConfig;
  const moved = Object.entries(config.credentials).map(([credential, entry]) => {
    const path = credential === "main" ? kept.place["path"] : `${kept.place["path"]}-${credential}`;
    return [credential, { ...entry, store: { use: "kept", ...kept.place, path }, mirrors: [entry.store] }];
  });
  host.configure({ ...config, stores: { ...config.stores, kept: kept.settings }, credentials: Object.fromEntries(moved) });
  return kept;
}
