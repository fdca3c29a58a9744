import type { Plugs } from "../config/schema.ts";

/** What a proposal hangs on besides the configuration. */
export interface Surroundings {
  readonly plugs: Plugs;
  /** What `~` stands for. */
  readonly home: string;
  /** The account of the gateway: its name, or its number where it has none. */
  readonly account: string | number;
}
