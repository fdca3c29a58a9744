import type { Exchange, Http } from "./http.ts";
import type { Secret } from "./secret.ts";
import type { SecretRef } from "./settings.ts";

/**
 * Everything that a plug may touch outside the process, handed in, so that a test can drive it all.
 * The real one is put together in `src/world/`.
 */
export interface World {
  readonly clock: Clock;
  /** Unpredictable bytes. */
  readonly random: (bytes: number) => Uint8Array;
  readonly http: Http;
  /** For libraries that speak HTTP themselves. */
  readonly exchange: Exchange;
  readonly files: Files;
  /** Opens a WebSocket through the configured proxy and CAs. Refuses `ws:` off loopback unless plain text is allowed. */
  readonly openWebSocket: (url: string) => Promise<WebSocket>;
  /** For requests that are not HTTP: what was asked of whom. */
  readonly debug: DebugLog;
  readonly run: RunCommand;
  /**
   * The secret behind a reference, read anew at each call. Throws `AdapterError` `misconfigured` or `denied`; behind a store, what
   * that answers. A plug asks at each of its own calls, and makes a session or client anew when the value is another one.
   */
  readonly secret: (reference: SecretRef) => Promise<Secret>;
  /** Our own directory (0700), for device identities and the like. */
  readonly stateDirectory: string;
}

/** Where a line goes that `LOG_LEVEL=debug` shows: facts and a constant message, never a secret. */
export type DebugLog = (fields: Readonly<Record<string, unknown>>, message: string) => void;

export interface Clock {
  /** Unix milliseconds. */
  now(): number;
  /** Milliseconds that never jump. */
  monotonic(): number;
  /** Resolves after `ms`; rejects with the signal's reason when that comes first. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  /** Does `work` after `ms`, unless what it answers is called before. */
  after(ms: number, work: () => void): () => void;
  /** A signal that aborts after `ms`, with a `TimeoutError` as its reason. */
  deadline(ms: number): AbortSignal;
}

/** The few file operations that plugs need. Errors are Node's own, with their `code`. */
export interface Files {
  /** The content, or `undefined` when there is no such file. */
  read(path: string): Promise<string | undefined>;
  /**
   * Replaces or makes a file in one step: temporary file beside it, mode 0600 (or the one given), owner of the
   * file it replaces (else `owner`), fsync, rename, fsync of the directory. `last` is a look right before the rename: what
   * it throws ends the work, and the file stays as it was.
   */
  replace(
    path: string,
    content: string,
    options?: { mode?: number; owner?: { uid: number; gid: number }; last?: () => Promise<void> },
  ): Promise<void>;
  /** Removes a file and syncs its directory. Resolves when it is already gone. */
  remove(path: string): Promise<void>;
  /** Names of the entries of a directory; empty when it does not exist. */
  list(directory: string): Promise<readonly string[]>;
  stat(path: string): Promise<FileFacts | undefined>;
}

export interface FileFacts {
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
  readonly links: number;
  readonly kind: "file" | "directory" | "symlink" | "other";
}

/** Runs a program without a shell, with PATH and `env` as its whole environment. A non-zero exit is an answer, not an error. */
export type RunCommand = (
  command: readonly string[],
  options: { stdin: string; signal: AbortSignal; env?: Readonly<Record<string, string>> },
) => Promise<{ exitCode: number | null; stdout: string; stderr: string }>;
