import { AdapterError } from "../../../src/contract/errors.ts";
import type { World } from "../../../src/contract/world.ts";
import { lastWords } from "../commands/commands.ts";

export type Verb = "reload" | "restart";

/** What a service manager knows of a unit. */
export interface UnitState {
  /** `loaded`; or why not, such as `not-found` and `masked`. */
  readonly loaded: string;
  readonly active: string;
  readonly canReload: boolean;
  /** Another one for each start. */
  readonly invocation: string;
  /** How its last start and its last reload ended; `success`, or a word for what went wrong. */
  readonly result: string;
  readonly reloadResult: string;
}

/** The service manager of the host, or of an account. Errors are `AdapterError`, or the reason of an abort. */
export interface Manager {
  show(signal: AbortSignal): Promise<UnitState>;
  /** Does it, and says whether the manager calls that a success. */
  ask(verb: Verb, signal: AbortSignal): Promise<boolean>;
  /** Whether it would do it for us; changes nothing. */
  wouldAllow(verb: Verb, signal: AbortSignal): Promise<boolean>;
}

const PROPERTIES = ["LoadState", "ActiveState", "CanReload", "InvocationID", "Result", "ReloadResult"] as const;
const REFUSED = /authentication required|access denied|permission denied|not authorized/i;
const NO_BUS = /failed to connect to (the )?(system |user )?(scope )?bus/i;

export interface ManagerOptions {
  readonly systemctl: string;
  readonly unit: string;
  /** The uid of the account whose manager it is; the host's without it. */
  readonly user: number | undefined;
  readonly timeoutMs: number;
  /** Who asks, as messages call it. */
  readonly who: string;
}

export function openManager({ systemctl, unit, user, timeoutMs, who }: ManagerOptions, world: World): Manager {
  const manager = user === undefined ? [] : ["--user"];
  const env = user === undefined ? {} : { XDG_RUNTIME_DIR: `/run/user/${user}` };

  async function call(
    action: string,
    args: readonly string[],
    signal: AbortSignal,
  ): Promise<{ exitCode: number | null; stdout: string; stderr: string }> {
    const deadline = world.clock.deadline(timeoutMs);
    try {
      const line = [systemctl, ...manager, "--no-ask-password", ...args, "--", unit];
      const ran = await world.run(line, { stdin: "", env, signal: AbortSignal.any([signal, deadline]) });
      if (!NO_BUS.test(ran.stderr)) return ran;
    } catch (error) {
      if (error !== deadline.reason) throw error;
      throw new AdapterError("timeout", `${who}: ${action} ${unit}: no end after ${timeoutMs} ms`, {
        cure: "look at systemctl list-jobs, or raise timeout",
      });
    }
    throw user === undefined
      ? new AdapterError("unavailable", `${who}: ${action} ${unit}: no connection to the service manager`, { cure: "is dbus running?" })
      : new AdapterError("denied", `${who}: ${action} ${unit}: the service manager of uid ${user} is out of reach`, {
          cure: "only the account itself reaches its manager: run rotated as a user service of that account, or make it a unit of the host",
        });
  }

  return {
    async show(signal) {
      const { exitCode, stdout, stderr } = await call("look at", ["show", `--property=${PROPERTIES.join()}`], signal);
      if (exitCode !== 0) throw new AdapterError("unavailable", `${who}: look at ${unit}${lastWords(stderr)}`);
      const found = Object.fromEntries(
        stdout.split("\n").map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
      );
      const of = (property: (typeof PROPERTIES)[number]) => found[property] ?? "";
      return {
        loaded: of("LoadState"),
        active: of("ActiveState"),
        canReload: of("CanReload") === "yes",
        invocation: of("InvocationID"),
        result: of("Result"),
        reloadResult: of("ReloadResult"),
      };
    },

    async ask(verb, signal) {
      const { exitCode, stderr } = await call(verb, [verb], signal);
      if (exitCode !== 0 && REFUSED.test(stderr))
        throw new AdapterError("denied", `${who}: ${verb} ${unit}: refused`, { cure: allowIt(unit, verb) });
      return exitCode === 0;
    },

    async wouldAllow(verb, signal) {
      // This mode is for `stop` alone: who may ask is told that, after the manager has seen that they may; nothing is done either way.
      const { exitCode, stderr } = await call(`try to ${verb}`, ["--job-mode=triggering", verb], signal);
      return exitCode === 0 || !REFUSED.test(stderr);
    },
  };
}

/** For people: how they let us. */
export function allowIt(unit: string, verb: Verb): string {
  return `let rotated ${verb} ${unit} in a polkit rule: rotated-units.rules, docs/systemd.md`;
}
