import { flushCompileCache } from "node:module";
import { parseArgs } from "node:util";
import { ConfigError } from "./config/error.ts";
import { loadConfig } from "./config/load.ts";
import { AdapterError } from "./contract/errors.ts";
import { Secret } from "./contract/secret.ts";
import { type Daemon, startDaemon } from "./daemon.ts";
import { type Logger, openLog } from "./log.ts";
import { type Notify, openNotify } from "./notify.ts";
import { REGISTRY } from "./registry.ts";
import { DatabaseError } from "./state/database.ts";
import { ownVersion } from "./version.ts";

/** How long a stop may take before the process goes anyway: nothing is lost by that. */
const STOP_MS = 10_000;

/** By then it has done once what it does at every start. */
const KEEP_COMPILED_AFTER_MS = 5000;

const HELP = `Usage: rotated [--config PATH]

Rotates the API keys of LLM vendors. It is steered with rotatectl.

Options:
  -c, --config PATH  the configuration (default: /etc/rotated/rotated.yaml)
  -v, --version      prints the version
  -h, --help         prints this

Signals:
  SIGHUP             reads the configuration again; a broken one is refused
  SIGTERM            parks all rotations and ends

Example:
  $ rotated --config ./rotated.yaml
`;

/** Starts the daemon, which runs until a signal ends it. An exit code is answered where it does not start. */
export async function main(argv: readonly string[]): Promise<number | undefined> {
  const options = readOptions(argv);
  if (options === undefined) return 2;
  if (options.help || options.version) {
    process.stdout.write(options.help ? HELP : `${ownVersion()}\n`);
    return undefined;
  }
  const configPath = options.config;
  const log = openLog(process.env["LOG_LEVEL"]);
  const notify = openNotify(process.env);
  // Node's own crash output would print the error as it is.
  for (const event of ["uncaughtException", "unhandledRejection"] as const) {
    process.on(event, (error: unknown) => {
      log.error({ err: error }, "a bug: the daemon ends");
      process.exit(70);
    });
  }
  const started = Promise.withResolvers<Daemon>();
  reloadOnSignal(started.promise, { configPath, log, notify });
  try {
    const config = await loadConfig(configPath, REGISTRY);
    const daemon = await startDaemon({ config, configPath, log, notify });
    started.resolve(daemon);
    stopOnSignal(daemon, { log, notify });
    // Node keeps what it has compiled when it ends, which a crash does not let it. Without NODE_COMPILE_CACHE this does nothing.
    setTimeout(flushCompileCache, KEEP_COMPILED_AFTER_MS).unref();
  } catch (error) {
    return explain(error, log);
  }
  return undefined;
}

function readOptions(argv: readonly string[]) {
  try {
    const options = {
      config: { type: "string", short: "c", default: "/etc/rotated/rotated.yaml" },
      version: { type: "boolean", short: "v", default: false },
      help: { type: "boolean", short: "h", default: false },
    } as const;
    return parseArgs({ args: [...argv], options }).values;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    process.stderr.write(`rotated: error: ${error.message}\nrotated: hint: see rotated --help\n`);
    return undefined;
  }
}

/** Listens from the start: else an early signal would end the process, which a service manager takes for wanted. */
function reloadOnSignal(started: Promise<Daemon>, { configPath, log, notify }: { configPath: string; log: Logger; notify: Notify }): void {
  const reload = async () => {
    const daemon = await started;
    notify.reloading();
    try {
      await daemon.reconfigure(await loadConfig(configPath, REGISTRY));
      log.info({ config: configPath }, "configuration read again");
    } catch (error) {
      explain(error, log);
      log.error({ config: configPath }, "the configuration is refused: the one before stays in force");
    } finally {
      notify.ready(daemon.status());
    }
  };
  let reloading = Promise.resolve();
  process.on("SIGHUP", () => {
    reloading = reloading.then(reload);
  });
}

function stopOnSignal(daemon: Daemon, { log, notify }: { log: Logger; notify: Notify }): void {
  let stopping = false;
  const stop = (signal: string) => {
    if (stopping) return;
    stopping = true;
    log.info({ signal }, "stopping");
    notify.stopping();
    setTimeout(() => process.exit(0), STOP_MS).unref();
    daemon.stop().then(
      () => process.exit(0),
      (error: unknown) => {
        log.error({ err: error }, "stopping failed");
        process.exit(1);
      },
    );
  };
  process.on("SIGTERM", () => stop("SIGTERM"));
  process.on("SIGINT", () => stop("SIGINT"));
}

/** Says what is wrong and what to do; answers the exit code. */
function explain(error: unknown, log: Logger): number {
  if (error instanceof ConfigError) {
    for (const { path, line, column, message, hint } of error.problems)
      log.error({ config: error.file, path, line, column, hint }, message);
    return 2;
  }
  if (error instanceof DatabaseError || error instanceof AdapterError) {
    log.error({ hint: error.hint, err: error }, Secret.mask(error.message));
    return 1;
  }
  log.error({ err: error }, error instanceof Error ? Secret.mask(error.message) : "cannot start");
  return 1;
}
