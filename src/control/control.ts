import type { Control } from "../api.ts";
import { adopting } from "./adopting.ts";
import { asking } from "./asking.ts";
import type { DaemonParts } from "./daemon-parts.ts";
import { looking } from "./looking.ts";
import { steering } from "./steering.ts";

/** What the daemon can do for a person, put together from its four kinds of operation. */
export function createControl(parts: DaemonParts): Control {
  return { ...looking(parts), ...steering(parts), ...asking(parts), ...adopting(parts) };
}
