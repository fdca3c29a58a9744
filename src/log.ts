import { type DestinationStream, destination, type Logger as PinoLogger, pino, stdTimeFunctions } from "pino";
import { Secret } from "./contract/secret.ts";

/** Has no children: what is bound to one would not be looked through for telling names. */
export type Logger = Pick<PinoLogger, "debug" | "info" | "warn" | "error">;

const LEVELS = ["debug", "info", "warn", "error", "silent"] as const;

/** Fields that may hold a secret under any caller's name for them, as words: `api key` is also `apiKey`, `API_KEY` and `api-key`. */
const SECRET_FIELDS = [
  ...["authorization", "proxy authorization", "cookie", "set cookie", "headers"],
  ...["password", "passphrase", "secret", "secret id", "client secret", "secret access key"],
  ...["token", "access token", "refresh token", "id token", "client token", "session token"],
  ...["api key", "admin key", "master key", "private key"],
];
// Not a set of names in one spelling: to bring each name of a line into it takes three times as long.
const TELLING = new RegExp(`^[_-]*(?:${SECRET_FIELDS.join("|").replaceAll(" ", "[_-]*")})[_-]*$`, "i");
/** How many objects and lists, one in the other, are looked through; deeper ones are left out. */
const DEEPEST = 10;

/** Characters of lines that are kept while they cannot be written. */
const MOST_KEPT = 65_536;

/**
 * The daemon's log: one JSON object a line on stderr, for the journal. Secrets are replaced twice: fields by their
 * name, and in the finished line every value that a living `Secret` holds.
 *
 * `level` is one of debug, info, warn, error and silent; anything else is `info`.
 */
export function openLog(level: string | undefined, stream: DestinationStream = standardError()): Logger {
  const options = {
    level: LEVELS.find((known) => known === level?.toLowerCase()) ?? "info",
    base: null,
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }), log: redacted },
    serializers: { err: describeError },
    hooks: { streamWrite: Secret.mask },
  };
  return pino(options, stream);
}

/** No rotation ends because its log cannot be written: lines are kept meanwhile, up to a limit, and tried again with each new one. */
function standardError(): DestinationStream {
  const stream = destination({ dest: 2, sync: true, maxLength: MOST_KEPT });
  stream.on("error", () => {});
  // A line for which there is no room is not tried, nor is what was kept.
  stream.on("drop", () => stream.write(""));
  return stream;
}

/** The fields of a line without what their names give away. pino's own `redact` would cost ten times as much as the line itself. */
function redacted(fields: Record<string, unknown>, within: readonly object[] = []): Record<string, unknown> {
  if (!Object.keys(fields).some((name) => TELLING.test(name) || typeof fields[name] === "object")) return fields;
  const path = [...within, fields];
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, TELLING.test(name) ? "[redacted]" : shown(value, path)]));
}

function shown(value: unknown, within: readonly object[]): unknown {
  if (typeof value !== "object" || value === null) return value;
  // Headers and what a parser makes often have no prototype.
  const kind: unknown = Object.getPrototypeOf(value);
  const isList = Array.isArray(value);
  if (!isList && kind !== Object.prototype && kind !== null) return value;
  if (within.length === DEEPEST || within.includes(value)) return "[left out]";
  return isList ? value.map((item) => shown(item, [...within, value])) : redacted(value as Record<string, unknown>, within);
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
