import { type DestinationStream, destination, type Logger, pino, stdTimeFunctions } from "pino";
import { Secret } from "./contract/secret.ts";

export type { Logger } from "pino";

const LEVELS = ["debug", "info", "warn", "error", "silent"] as const;

/** Fields that may hold a secret under any caller's name for them, at the top and up to three levels below. */
const SECRET_FIELDS = ["secret", "apiKey", "adminKey", "password", "token", "authorization", "cookie", "headers", "privateKey"];
const REDACTED = ["", "*.", "*.*.", "*.*.*."].flatMap((depth) => SECRET_FIELDS.map((field) => `${depth}${field}`));

/**
 * The daemon's log: one JSON object a line on stderr, for the journal. Secrets are replaced twice: fields by their
 * name, and in the finished line every value that a living `Secret` holds.
 *
 * `level` is one of debug, info, warn, error and silent; anything else is `info`.
 */
export function openLog(level: string | undefined, stream: DestinationStream = destination({ dest: 2, sync: true })): Logger {
  const options = {
    level: LEVELS.find((known) => known === level?.toLowerCase()) ?? "info",
    base: null,
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: { paths: REDACTED, censor: "[redacted]" },
    serializers: { err: describeError },
    hooks: { streamWrite: Secret.mask },
  };
  return pino(options, stream);
}

interface ErrorFacts {
  readonly type: string;
  readonly message: string;
  readonly code?: unknown;
  readonly hint?: unknown;
  readonly stack?: string | undefined;
  readonly cause?: unknown;
}

/** The few fields of an error that are ours to show: a library may hang its whole request on one, headers and all. */
function describeError(error: unknown, depth = 0): ErrorFacts | string {
  if (!(error instanceof Error)) return typeof error === "string" ? error : Object.prototype.toString.call(error);
  return {
    type: error.name,
    message: error.message,
    ...("code" in error && { code: error.code }),
    ...("hint" in error && { hint: error.hint }),
    ...(depth === 0 && { stack: error.stack }),
    ...(error.cause !== undefined && depth < 8 && { cause: describeError(error.cause, depth + 1) }),
  };
}
