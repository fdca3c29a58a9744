import { z } from "zod";
import { type Consumer, defineConsumer } from "../../src/contract/consumer.ts";
import { AdapterError } from "../../src/contract/errors.ts";
import type { Finding } from "../../src/contract/finding.ts";
import { duration } from "../../src/contract/settings.ts";
import type { World } from "../../src/contract/world.ts";
import { commandLine, missingPrograms, openCommands } from "./commands/commands.ts";
import { allowIt, openManager, type UnitState, type Verb } from "./systemd-unit/manager.ts";

const settings = z.strictObject({
  unit: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9:_.@\\-]*\.service$/, "the name of a service, such as app.service")
    .describe("the service that uses the key"),
  verb: z
    .enum(["reload", "restart", "reload-or-restart"])
    .describe(
      "what makes it read its key again: a program that has it in its environment must be started again; `reload-or-restart` reloads what can be reloaded",
    ),
  health: commandLine().describe(
    "what makes a live request through the program, as a list without a shell; may answer with an HMAC, as the `validate` of a `command`",
  ),
  user: z.int().min(1).optional().describe("the uid of the account whose own service manager runs it; rotated must run as that account"),
  systemctl: z.string().startsWith("/", "an absolute path").prefault("/usr/bin/systemctl").describe("where systemctl is"),
  timeout: duration().prefault("60s").describe("how long the reload or restart, and the health command, may take"),
});

type Settings = z.output<typeof settings>;

/** A service of systemd. That it was started says nothing about its key: evidence comes from its health command. */
export const systemdUnit = defineConsumer({
  title: "A service of systemd",
  settings,
  use: z.strictObject({}),
  connect: (settings, _, context, world) => connect(settings, context, world),
});

function connect(settings: Settings, context: { credential: string; consumer: string }, world: World): Consumer {
  const { unit, health, systemctl, user, timeout } = settings;
  const who = `consumer ${context.consumer}`;
  const manager = openManager({ systemctl, unit, user, timeoutMs: timeout, who }, world);
  const commands = openCommands(context, timeout, world);
  const otherValue = commands.otherValue("health");

  /** What failed does not run, and only what runs can be reloaded. */
  const verbFor = ({ canReload, active }: UnitState): Verb =>
    settings.verb === "reload-or-restart" ? (canReload && active !== "failed" ? "reload" : "restart") : settings.verb;

  /** A service that a person stopped is not ours to start. One that failed, perhaps at our own restart, is. */
  function refuseStopped({ active }: UnitState): void {
    if (active !== "inactive" && active !== "deactivating") return;
    throw new AdapterError("unavailable", `${who}: ${unit} is stopped`, { cure: `start it: systemctl start ${unit}` });
  }

  async function findings(signal: AbortSignal): Promise<readonly Finding[]> {
    const missing = await missingPrograms([[systemctl], health], world);
    if (missing.length > 0) return missing;
    const state = await manager.show(signal);
    if (state.loaded !== "loaded") {
      const cure = state.loaded === "masked" ? `systemctl unmask ${unit}` : "correct its name, or: systemctl daemon-reload";
      return [{ code: "noUnit", message: `${who}: ${unit} is not loaded (${state.loaded})`, cure }];
    }
    const verb = verbFor(state);
    if (verb === "reload" && !state.canReload) {
      const cure = "set verb: restart, or give the unit an ExecReload=";
      return [{ code: "cannotReload", message: `${who}: ${unit} has no way to be reloaded`, cure }];
    }
    refuseStopped(state);
    if (await manager.wouldAllow(verb, signal)) return [];
    return [{ code: "notAllowed", message: `${who}: rotated may not ${verb} ${unit}`, cure: allowIt(unit, verb) }];
  }

  return {
    async preflight(current, signal) {
      signal.throwIfAborted();
      const found = await findings(signal);
      if (found.length > 0 || current === undefined) return found;
      const held = await commands.holds("health", health, current, signal);
      return held === false ? [{ code: "shadowed", message: otherValue.cause, cure: otherValue.cure }] : [];
    },

    async reload(_expected, signal) {
      signal.throwIfAborted();
      const before = await manager.show(signal);
      refuseStopped(before);
      const verb = verbFor(before);
      const done = await manager.ask(verb, signal);
      const after = await manager.show(signal);
      const cure = `see why: journalctl -u ${unit}`;
      if (after.active !== "active" && after.active !== "reloading")
        return {
          holds: "stale",
          cause: `${who}: ${unit} is ${after.active} after its ${verb} (${after.result})`,
          cure,
        };
      if (!done) return { holds: "stale", cause: `${who}: ${verb} of ${unit} failed (${after.reloadResult})`, cure };
      if (verb === "restart" && after.invocation === before.invocation)
        throw new AdapterError("inconclusive", `${who}: ${unit} was not started again`, { cure });
      // What it has read then, `prove` shows.
      return { holds: "expected" };
    },

    async prove(expected, signal) {
      refuseStopped(await manager.show(signal));
      const held = await commands.holds("health", health, expected, signal);
      if (held === false) return { result: "contradicted", ...otherValue };
      return { result: "proven", grade: held ? "value" : "answered", detail: { unit, command: health[0] } };
    },

    describe: () => ({
      reload: `${settings.verb} of ${unit}${settings.verb === "reload" ? "" : ": what it is doing then may break off"}`,
      prove: `runs ${health[0]}, which makes a live request`,
    }),
  };
}
