/**
 * `npm run demo`: one key is replaced under load, and everything that is claimed is proven before your eyes.
 * Exit code 0 when it was, 1 when it was not, 2 when called wrongly, 130 after Ctrl-C. Nothing stays behind.
 */
import { readOptions } from "./options.ts";
import { play } from "./play.ts";
import { Hinted, screen } from "./screen.ts";
import { Stage } from "./stage.ts";

const options = readOptions();

const stopped = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => stopped.abort());

const startedAt = Date.now();
const stage = new Stage(stopped.signal, options.keep === true);
const end = Promise.withResolvers<never>();
stopped.signal.addEventListener("abort", () => end.reject(stopped.signal.reason));
const played = play(stage, options);
try {
  const proven = await Promise.race([played, end.promise, stage.broken]);
  process.exitCode = proven ? 0 : 1;
  const took = `${((Date.now() - startedAt) / 1000).toFixed(0)} s`;
  screen.verdict(proven, proven ? `All of it was proven, in ${took}.` : "Not everything was proven.");
} catch (error) {
  process.exitCode = stopped.signal.aborted ? 130 : 1;
  screen.gap();
  screen.error(stopped.signal.aborted ? "stopped; cleaning up" : error instanceof Error ? error.message : String(error));
  if (error instanceof Hinted) screen.hint(error.hint);
} finally {
  // Whatever the play was at ends now; only then is it sure that nothing new is begun.
  stopped.abort();
  await stage.leave();
  await played.catch(() => {});
  if (options.keep) screen.text(`Kept: ${stage.directory}`);
}
