import type { z } from "zod";
import type { Grade } from "../model.ts";
import type { Finding } from "./finding.ts";
import type { Secret } from "./secret.ts";
import type { World } from "./world.ts";

/** What a consumer was seen to hold after a reload. */
export type Holding =
  /** The expected value, as far as this consumer can show. */
  | { readonly holds: "expected" }
  /** Certainly not the expected value, and nothing is in the way that would pass: a contradiction once it lasts. */
  | { readonly holds: "other"; readonly cause: string; readonly cure: string }
  /** It could not load the value for a reason that a person or time cures (file mode, sealed source). */
  | { readonly holds: "stale"; readonly cause: string; readonly cure: string };

/** What a live request through a consumer showed. */
export type Proof =
  | { readonly result: "proven"; readonly grade: Grade; readonly detail: Readonly<Record<string, unknown>> }
  /** It uses another value than the expected one. */
  | { readonly result: "contradicted"; readonly cause: string; readonly cure: string }
  /** The vendor refused the expected value when it came through this consumer. */
  | { readonly result: "refused"; readonly cause: string; readonly cure: string };

/**
 * A program that calls the vendor with the key.
 *
 * Methods honour `signal` and throw only `AdapterError` or the reason of an abort; an outage, a limit or a
 * cooldown is thrown (`unreachable`, `unavailable`, `rateLimited`, `inconclusive`), never answered. None retries.
 */
export interface Consumer {
  /**
   * Everything that would keep a reload from making the store's value the one in use. `current` is what the
   * store holds now, if anything. Changes nothing.
   */
  preflight(current: Secret | undefined, signal: AbortSignal): Promise<readonly Finding[]>;

  /** Asks the program once to pick up the store's current value, and says what it then holds. */
  reload(expected: Secret, signal: AbortSignal): Promise<Holding>;

  /** Makes live requests through the program and says which key served them. */
  prove(expected: Secret, signal: AbortSignal): Promise<Proof>;

  /**
   * The runs that may still use a key from before `reloadedAt` (names for people). `earlier` is the previous
   * answer for the same reload: a later one only shrinks. `"tooEarly"` while it cannot be told yet.
   * A program that does not know its runs leaves this out.
   */
  busySince?(reloadedAt: Date, earlier: readonly string[] | undefined, signal: AbortSignal): Promise<readonly string[] | "tooEarly">;

  /** Introduces rotated to the program, where it must be known to it. What it says is shown to the operator. */
  pair?(signal: AbortSignal): Promise<{ readonly paired: boolean; readonly message: string }>;

  /**
   * What this consumer's users will feel in a rotation, for `rotatectl plan`. One clause each; `preflight` where that makes
   * others do more than answer.
   */
  describe(): { readonly preflight?: string; readonly reload: string; readonly prove: string };
}

/** What a file in `adapters/consumers/` exports. */
export interface ConsumerDefinition<Settings extends z.ZodObject = z.ZodObject, Use extends z.ZodObject = z.ZodObject> {
  readonly title: string;
  /** Strict, described settings of the consumer itself (under `consumers:`). */
  readonly settings: Settings;
  /** Strict, described settings of one use of it (under a credential's `consumers:`, beside `use`). */
  readonly use: Use;
  connect(settings: z.output<Settings>, use: z.output<Use>, context: { credential: string; consumer: string }, world: World): Consumer;
}

export function defineConsumer<Settings extends z.ZodObject, Use extends z.ZodObject>(
  definition: ConsumerDefinition<Settings, Use>,
): ConsumerDefinition<Settings, Use> {
  return definition;
}
