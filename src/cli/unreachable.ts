import { ControlError } from "../api-errors.ts";

/** The daemon could not be reached, or the connection broke before it answered. */
export class Unreachable extends Error {
  override readonly name = "Unreachable";
  readonly hint: string;
  /** `unsent`: the request did not arrive; `broken`: the connection ended; `silent`: no answer came in the time that there was. */
  readonly how: "unsent" | "broken" | "silent";

  constructor(message: string, hint: string, how: Unreachable["how"]) {
    super(message);
    this.hint = hint;
    this.how = how;
  }
}

/** The daemon is not there now, and may come back. */
export function isAway(error: unknown): boolean {
  return error instanceof Unreachable || (error instanceof ControlError && error.code === "unavailable");
}
