/** Preloaded into a daemon: writes the address of every module that it loads, a line each, to the file MODULES_TO. */
import { appendFileSync } from "node:fs";
import { registerHooks } from "node:module";

const file = process.env["MODULES_TO"] ?? "";

registerHooks({
  load(url, context, nextLoad) {
    appendFileSync(file, `${url}\n`);
    return nextLoad(url, context);
  },
});
