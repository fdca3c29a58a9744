import type { Logger } from "../log.ts";
import type { Rotation } from "../model.ts";
import type { Problem } from "./context.ts";

/** Which rotation a line of the log is about, and in which step it is. */
export const about = ({ credential, id, step }: Rotation) => ({ credential, rotation: id, step });

/** Says what a turn has changed, as far as somebody who reads the log wants to know it; `problem` is what it met. */
export function report(log: Logger, before: Rotation, after: Rotation, now: number, problem: Problem | undefined): void {
  const hint = problem?.hint;
  const fields = { ...about(before), code: after.lastCode ?? undefined, attempt: after.attempts || undefined };
  if (after.outcome !== null) log.info({ ...fields, outcome: after.outcome, hint }, "rotation ended");
  else if (after.stuckReason !== null && before.stuckReason !== after.stuckReason) {
    log.error({ ...fields, reason: after.stuckReason, hint: after.stuckHint }, "a person is needed");
  } else if (after.lastError !== null && after.lastError !== before.lastError) {
    const retryInMs = after.dueAt === null ? undefined : after.dueAt - now;
    log.warn({ ...fields, reason: after.lastError, hint, retryInMs }, "will retry");
  } else if (after.step !== before.step) log.info({ ...fields, next: after.step }, "step done");
}
