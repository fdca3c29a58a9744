import { z } from "zod";
import { type Consumer, defineConsumer } from "../../src/contract/consumer.ts";
import { duration } from "../../src/contract/settings.ts";
import type { World } from "../../src/contract/world.ts";
import { commandLine, missingPrograms, openCommands } from "./commands/commands.ts";

const settings = z.strictObject({
  reload: commandLine()
    .optional()
    .describe("what makes the program read its key again, as a list without a shell; left out where it does so by itself"),
  validate: commandLine().describe("what makes a live request through the program, as a list without a shell; may answer with an HMAC"),
  timeout: duration().prefault("30s").describe("how long each of the two may take"),
});

type Settings = z.output<typeof settings>;

/** Any program that two commands can speak for. */
export const command = defineConsumer({
  title: "Any program, by two commands",
  settings,
  use: z.strictObject({}),
  connect: (settings, _, context, world) => connect(settings, context, world),
});

function connect({ reload, validate, timeout }: Settings, context: { credential: string; consumer: string }, world: World): Consumer {
  const commands = openCommands(context, timeout, world);
  const otherValue = commands.otherValue("validate");

  return {
    async preflight(current, signal) {
      signal.throwIfAborted();
      const findings = await missingPrograms(reload === undefined ? [validate] : [reload, validate], world);
      if (findings.length > 0 || current === undefined) return findings;
      const held = await commands.holds("validate", validate, current, signal);
      return held === false ? [{ code: "shadowed", message: otherValue.cause, cure: otherValue.cure }] : [];
    },

    async reload(_expected, signal) {
      signal.throwIfAborted();
      // Exit 0 is all that a reload says; `prove` shows whether it did what it should.
      if (reload !== undefined) await commands.run("reload", reload, signal);
      return { holds: "expected" };
    },

    async prove(expected, signal) {
      const held = await commands.holds("validate", validate, expected, signal);
      if (held === false) return { result: "contradicted", ...otherValue };
      return { result: "proven", grade: held ? "value" : "answered", detail: { command: validate[0] } };
    },

    describe: () => ({
      reload: reload === undefined ? "nothing is run: it reads its key by itself" : `runs ${reload[0]}`,
      prove: `runs ${validate[0]}, which makes a live request`,
    }),
  };
}
