import type { Load } from "../test/support/load.ts";

/** The program that uses the key, and people who use that program. */
export interface Consumer {
  /** What stands under `consumers.app` in the configuration. */
  readonly config: object;
  /** What stands in the credential's list of consumers, beside `use`. */
  readonly use: object;
  /** It wants to be introduced with `rotatectl pair`. */
  readonly pairs: boolean;
  /** Starts it, after the daemon: it may get its key from there. Answers what it is, for people. */
  start(): Promise<string>;
  /** How many users ask at the same time. */
  readonly clients: number;
  /** Users who ask without end. */
  startLoad(): Load;
}
