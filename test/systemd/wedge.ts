/**
 * Loaded before the daemon, from outside: puts a broken consumer `command` in the place of the shipped one. While the file named by
 * WEDGE is there, its next reload removes the file and then never returns, whatever its deadline. The event loop goes on.
 */
import { existsSync, unlinkSync } from "node:fs";
import { registerHooks } from "node:module";
import { fileURLToPath } from "node:url";
import type { Consumer } from "../../src/contract/consumer.ts";

const COMMAND = "/dist/command.cjs";
const marker = process.env["WEDGE"] ?? "";

registerHooks({
  load(url, context, next) {
    if (!url.endsWith(COMMAND)) return next(url, context);
    const { source, ...rest } = next(url, context);
    const wedge = `module.exports = { command: require("${fileURLToPath(import.meta.url)}").wedged(module.exports.command) };`;
    return { ...rest, source: `${source}\n${wedge}\n` };
  },
});

/** The same definition, whose consumers ignore the deadline of one reload. */
export function wedged<Definition extends { connect(...args: unknown[]): Consumer }>(real: Definition): Definition {
  return {
    ...real,
    connect(...args) {
      const consumer = real.connect(...args);
      return {
        ...consumer,
        reload(expected, signal) {
          if (!existsSync(marker)) return consumer.reload(expected, signal);
          unlinkSync(marker);
          return new Promise<never>(() => {});
        },
      };
    },
  };
}
