import { randomBytes } from "node:crypto";
import type { Config } from "./config/config.ts";
import { AdapterError } from "./contract/errors.ts";
import { createControl } from "./control/control.ts";
import type { DaemonParts } from "./control/daemon-parts.ts";
import { watchCalls } from "./itself/calls.ts";
import type { Logger } from "./log.ts";
import type { Rotation } from "./model.ts";
import type { Notify } from "./notify.ts";
import { type ConnectedPlugs, connectPlugs } from "./plugs.ts";
import { makeDoor } from "./resolve/door.ts";
import { startResolveServer } from "./resolve/resolve-server.ts";
import { resolving } from "./resolve/resolving.ts";
import { createEngine } from "./rotation/engine.ts";
import { randomName } from "./rotation/labels.ts";
import { createShelf } from "./rotation/supply/shelf.ts";
import { createScheduler } from "./scheduler.ts";
import { startServer } from "./server.ts";
import { createSessionKeeper } from "./sessions.ts";
import { openDatabase } from "./state/database.ts";
import { openStateDirectory } from "./state/directory.ts";
import { openLedger } from "./state/ledger.ts";
import { packageFile } from "./version.ts";
import { realClock } from "./world/clock.ts";
import { openNetwork } from "./world/network.ts";
import { openWorld } from "./world/world.ts";

export interface Daemon {
  /** Takes a new configuration over; rotations go on with it at their next step. Throws when it cannot be: then the one before stays. */
  reconfigure(config: Config): Promise<void>;
  /** One line about it, for the service manager. */
  status(): string;
  /** Parks all steps, ends the server, closes the ledger. */
  stop(): Promise<void>;
}

/** Puts the daemon together and starts it: the one place that knows all parts. Throws `DatabaseError`, or `AdapterError` for the network and the socket. */
export async function startDaemon(first: { config: Config; configPath: string; log: Logger; notify: Notify }): Promise<Daemon> {
  const { configPath, log, notify } = first;
  const clock = realClock;
  const since = clock.now();
  let config = first.config;
  let configLoadedAt = since;

  const directory = openStateDirectory(config.stateDirectory, randomBytes);
  const db = openDatabase(directory.database, packageFile("migrations/"));
  const ledger = openLedger(db, clock);
  const fingerprintKey = directory.fingerprintKey(ledger.credentials.all().some(({ name }) => ledger.keys.all(name).length > 0));
  const installation = ledger.installation(directory.databaseFile(), () => randomName(6, randomBytes));

  const calls = watchCalls(clock, (call) => log.debug(call, "call"));
  const connect = (): ConnectedPlugs => {
    const network = openNetwork(config.network, { log: (fields, message) => log.debug(fields, message) });
    const connected: ConnectedPlugs = connectPlugs(
      config,
      openWorld(network, config.stateDirectory, (credential) => connected.value(credential)),
      calls,
    );
    return connected;
  };
  let plugs = connect();
  const status = () => `credentials: ${Object.keys(config.credentials).length}, open rotations: ${ledger.rotations.allOpen().length}`;
  for (const name of Object.keys(config.credentials)) ledger.know(name);

  const engineParts = {
    ledger,
    clock,
    random: randomBytes,
    installation,
    fingerprintKey,
    config: () => config,
    plugs: () => plugs,
    log,
  };
  const shelf = createShelf(engineParts);
  const engine = createEngine({
    ...engineParts,
    atRest: ({ credential, outcome }) => {
      scheduler.touch(credential);
      if (outcome !== null) shelf.tidy(credential);
      notify.status(status());
    },
  });
  const scheduler = createScheduler({ ledger, engine, clock, config: () => config, log });
  const keeper = createSessionKeeper({ clock, config: () => config, sessions: () => plugs.sessions(), log });
  const parts: DaemonParts = {
    ...engineParts,
    engine,
    scheduler,
    shelf,
    configPath,
    configLoadedAt: () => configLoadedAt,
    since,
  };
  const server = await startServer({ path: config.socket, control: createControl(parts), callers: () => config.control, log }).catch(
    (error: unknown) => {
      db.close();
      throw socketError(error);
    },
  );

  const resolve = resolving({ config: () => config, plugs: () => plugs, clock, log });
  const door = makeDoor(() => startResolveServer({ path: config.resolveSocket, resolve, clock, log }));
  await door.adjust(config).catch(async (error: unknown) => {
    await server.close();
    db.close();
    throw error;
  });

  const every = notify.watchdogEveryMs;
  const watchdog =
    every === undefined ? undefined : setInterval(() => engine.healthy() && scheduler.healthy() && notify.watchdog(), every / 2);

  for (const warning of config.warnings) log.warn({ warning }, "configuration");
  scheduler.refresh();
  keeper.refresh();
  for (const name of Object.keys(config.credentials)) shelf.tidy(name);
  notify.ready(status());
  log.info(
    { credentials: Object.keys(config.credentials).length, socket: config.socket, readyMs: Math.round(process.uptime() * 1000) },
    "ready",
  );

  /** What is stuck may be cured by a new configuration, and what lost its credential must say so: neither waits for its next try. */
  async function lookAgain({ id, credential, stuckReason }: Rotation): Promise<void> {
    if (stuckReason === null && config.credentials[credential] !== undefined) return;
    await engine
      .takeOver(id, () => {
        const rotation = ledger.rotation(id);
        if (rotation.dueAt !== null) ledger.commit(rotation, { rotation: { dueAt: clock.now() } });
      })
      .catch((error: unknown) => log.warn({ err: error, credential, rotation: id }, "the rotation goes on at its next try only"));
    scheduler.touch(credential);
  }

  return {
    async reconfigure(next) {
      const { stateDirectory, socket, resolveSocket } = config;
      if (next.stateDirectory !== stateDirectory || next.socket !== socket || next.resolveSocket !== resolveSocket) {
        log.warn({}, "stateDirectory, socket and resolveSocket are taken over at the next start only");
        next = { ...next, stateDirectory, socket, resolveSocket };
      }
      for (const name of Object.keys(next.credentials)) ledger.know(name);
      const before = { config, plugs };
      config = next;
      try {
        plugs = connect();
        await door.adjust(config);
      } catch (error) {
        ({ config, plugs } = before);
        throw error;
      }
      configLoadedAt = clock.now();
      scheduler.refresh();
      keeper.refresh();
      await Promise.all(ledger.rotations.allOpen().map(lookAgain));
    },
    status,
    async stop() {
      clearInterval(watchdog);
      scheduler.stop();
      await Promise.all([server.close(), door.close(), engine.stop(), shelf.stop(), keeper.stop()]);
      db.close();
    },
  };
}

/** What is wrong with the socket, with what to do about it. */
function socketError(cause: unknown): unknown {
  if (!(cause instanceof Error)) return cause;
  const cure = "only one daemon may use a socket: stop the other one, or give `socket:` a path of its own that this account may make";
  return new AdapterError("misconfigured", cause.message, { cause, cure });
}
