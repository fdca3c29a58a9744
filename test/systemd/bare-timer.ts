/** Loaded before the daemon, from outside: pings the watchdog from a bare timer, as rotated must not. */
const { openNotify } = (await import(process.env["NOTIFY_MODULE"] ?? "")) as typeof import("../../src/notify.ts");
const notify = openNotify(process.env);
setInterval(() => notify.watchdog(), 200);
