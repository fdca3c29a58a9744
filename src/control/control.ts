import type { Control } from "../api.ts";
import { ControlError } from "../api-errors.ts";
import { DatabaseError } from "../state/database.ts";
import { adopting } from "./adopting.ts";
import { asking } from "./asking.ts";
import type { DaemonParts } from "./daemon-parts.ts";
import { intake } from "./intake.ts";
import { looking } from "./looking.ts";
import { retiring } from "./retiring.ts";
import { steering } from "./steering.ts";

/** What the daemon can do for a person, put together from its kinds of operation. */
export function createControl(parts: DaemonParts): Control {
  return explained({ ...looking(parts), ...steering(parts), ...asking(parts), ...adopting(parts), ...retiring(parts), ...intake(parts) });
}

/** A full disk, or a vendor or store that does not answer, is no fault of the daemon: who asked is told what to do about it. */
function explained(control: Control): Control {
  const wrap =
    <Request, Ask, Reply>(operation: (request: Request, ask: Ask) => Promise<Reply>) =>
    (request: Request, ask: Ask) =>
      operation(request, ask).catch((error: unknown): never => {
        if (error instanceof DatabaseError) throw new ControlError("internal", error.message, error.hint, { cause: error });
        if (!(error instanceof DOMException) || error.name !== "TimeoutError") throw error;
        throw new ControlError("timeout", "vendor or store did not answer in time", "it may be said again; see rotatectl check", {
          cause: error,
        });
      });
  // Each keeps its own signature, which the compiler cannot follow through a list of entries.
  return Object.fromEntries(Object.entries(control).map(([name, operation]) => [name, wrap(operation)])) as unknown as Control;
}
