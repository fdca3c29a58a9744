import type { Consumer } from "../../src/contract/consumer.ts";
import type { Secret } from "../../src/contract/secret.ts";
import type { Grade } from "../../src/model.ts";
import { commandFixture } from "./command-fixture.ts";
import { openclawFixtures } from "./openclaw-fixture.ts";
import { systemdUnitFixtures } from "./systemd-unit-fixture.ts";

/** A real program, or a strict double of it, with the consumer that speaks for it. */
export interface ConsumerFixture {
  readonly name: string;
  /** Why it cannot run on this host. */
  readonly skipped?: string | undefined;
  /** The best evidence that `prove` gives. */
  readonly grade: Grade;
  /** Whether `reload` sees which value is in use afterwards, and not only that the program said yes. */
  readonly reloadSees: boolean;
  /** Whether a vendor's refusal can be told from an outage. */
  readonly tellsRefusals: boolean;
  /** Whether it knows its runs, and so has `busySince`. */
  readonly tellsRuns: boolean;
  /** How long `start` and `settle` may take. */
  readonly startLimitMs: number;
  /** Starts the program with `secret` in its store and in use, and a vendor that accepts it. */
  start(secret: Secret): Promise<RunningConsumer>;
}

export interface RunningConsumer {
  readonly consumer: Consumer;
  /** Brings everything back to how `start(secret)` left it, whatever tests did. */
  settle(secret: Secret): Promise<void>;
  /** What the store holds from now on; the program does not hear of it. */
  holdNow(secret: Secret): Promise<void>;
  /** Whether the program uses this value, seen by another way than the consumer. */
  isHolding(secret: Secret): Promise<boolean>;
  /** The vendor accepts these and refuses all others. */
  vendorAccepts(...secrets: readonly Secret[]): void;
  /** The vendor refuses this one, as it does a revoked key. */
  vendorRefuses(secret: Secret): void;
  /** The vendor answers every request with an outage. */
  vendorFails(): void;
  /** The program ends; `settle` starts it again. */
  programEnds(): Promise<void>;
  stop(): Promise<void>;
}

/** Each of them passes the same suite, consumer.test.ts. */
export const CONSUMER_FIXTURES: readonly ConsumerFixture[] = [commandFixture, ...openclawFixtures, ...systemdUnitFixtures];
