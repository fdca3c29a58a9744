/** Loaded before the daemon, from outside: pings the watchdog from a bare timer, as rotated must not. */
import { registerHooks } from "node:module";

const { NOTIFY_MODULE = "", INSTALLED = "" } = process.env;

// Native, and the daemon's own: one process loads it from one place only.
registerHooks({
  resolve: (name, context, next) => next(name, name === "koffi" ? { ...context, parentURL: `file://${INSTALLED}/package.json` } : context),
});
const { openNotify } = (await import(NOTIFY_MODULE)) as typeof import("../../src/notify.ts");
const notify = openNotify(process.env);
setInterval(() => notify.watchdog(), 200);
