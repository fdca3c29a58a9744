import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { AdapterError } from "../../src/contract/errors.ts";
import { Secret } from "../../src/contract/secret.ts";
import { CONSUMER_FIXTURES, type ConsumerFixture, type RunningConsumer } from "./consumer-fixture.ts";

const { signal } = new AbortController();
const [old, fresh] = [new Secret("sk-canary-consumer-old-0001"), new Secret("sk-canary-consumer-new-0002")];

/** Each sentence of the contract's comments. */
function suite(fixture: ConsumerFixture): void {
  let running: RunningConsumer;
  beforeAll(async () => {
    running = await fixture.start(old);
  }, fixture.startLimitMs);
  beforeEach(() => running.settle(old), fixture.startLimitMs);
  afterAll(() => running?.stop(), fixture.startLimitMs);

  /** What is thrown must be one that waits, and say nothing of a secret. */
  async function passing(work: Promise<unknown>): Promise<void> {
    const error = await work.then(
      (answer) => answer,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(AdapterError);
    expect(["unreachable", "unavailable", "rateLimited", "inconclusive", "timeout"]).toContain((error as AdapterError).code);
    expect((error as AdapterError).retry).toBe(true);
    expect(`${(error as AdapterError).message} ${(error as AdapterError).hint}`).not.toContain("canary");
  }

  /** Causes and cures are for people: lower case, no full stop, no secret. */
  function forPeople(...texts: readonly string[]): void {
    for (const text of texts) {
      expect(text).toMatch(/^[^A-Z].*[^.]$/s);
      expect(text).not.toContain("canary");
    }
  }

  describe("preflight", () => {
    it("finds nothing where a reload would do, and changes nothing", async () => {
      expect(await running.consumer.preflight(old, signal)).toEqual([]);
      expect(await running.isHolding(old)).toBe(true);
    });

    it("finds that another value than the store's is the one in use, with a cure, and does not load the store's", async () => {
      running.vendorAccepts(old, fresh);
      await running.holdNow(fresh);
      const findings = await running.consumer.preflight(fresh, signal);
      expect(findings.length).toBeGreaterThan(0);
      for (const { code, message, cure } of findings) {
        expect(code).toMatch(/^[a-z][A-Za-z]+$/);
        forPeople(message, cure);
      }
      expect(await running.isHolding(old)).toBe(true);
    });

    it("can be asked when the store holds nothing", async () => {
      expect(Array.isArray(await running.consumer.preflight(undefined, signal))).toBe(true);
    });
  });

  describe("reload", () => {
    it("makes the program use the store's current value, and says so", async () => {
      running.vendorAccepts(old, fresh);
      await running.holdNow(fresh);
      expect(await running.isHolding(fresh)).toBe(false);
      expect(await running.consumer.reload(fresh, signal)).toEqual({ holds: "expected" });
      expect(await running.isHolding(fresh)).toBe(true);
    });

    it("may be done twice", async () => {
      await running.consumer.reload(old, signal);
      expect(await running.consumer.reload(old, signal)).toEqual({ holds: "expected" });
      expect(await running.isHolding(old)).toBe(true);
    });

    it("does not claim more than it sees when the store does not hold the expected value", async () => {
      const holding = await running.consumer.reload(fresh, signal);
      if (fixture.reloadSees) {
        expect(holding.holds).toBe("other");
        if (holding.holds !== "expected") forPeople(holding.cause, holding.cure);
      } else {
        expect((await running.consumer.prove(fresh, signal)).result).toBe("contradicted");
      }
    });
  });

  describe("prove", () => {
    it("shows by live requests that the expected value served them", async () => {
      const proof = await running.consumer.prove(old, signal);
      expect(proof).toMatchObject({ result: "proven", grade: fixture.grade });
      expect(JSON.stringify(proof)).not.toContain("canary");
    });

    it("contradicts another value, although every request succeeds", async () => {
      running.vendorAccepts(old, fresh);
      await running.holdNow(fresh);
      const proof = await running.consumer.prove(fresh, signal);
      expect(proof.result).toBe("contradicted");
      if (proof.result === "contradicted") forPeople(proof.cause, proof.cure);
    });

    it("proves the new value after a reload, and no longer the old one", async () => {
      running.vendorAccepts(old, fresh);
      await running.holdNow(fresh);
      await running.consumer.reload(fresh, signal);
      expect(await running.consumer.prove(fresh, signal)).toMatchObject({ result: "proven", grade: fixture.grade });
      expect((await running.consumer.prove(old, signal)).result).toBe("contradicted");
    });

    it("never passes a value that the vendor refuses", async () => {
      running.vendorRefuses(old);
      if (!fixture.tellsRefusals) return passing(running.consumer.prove(old, signal));
      const proof = await running.consumer.prove(old, signal);
      expect(proof.result).toBe("refused");
      if (proof.result === "refused") forPeople(proof.cause, proof.cure);
    });

    it("throws in an outage of the vendor: that is no answer", async () => {
      running.vendorFails();
      await passing(running.consumer.prove(old, signal));
    });
  });

  it(
    fixture.tellsRuns ? "tells the runs from before a reload: none in a program at rest" : "has no busySince: it does not know its runs",
    async () => {
      const { consumer } = running;
      expect(consumer.busySince !== undefined).toBe(fixture.tellsRuns);
      if (consumer.busySince === undefined) return;
      const reloadedAt = new Date();
      await expect.poll(() => consumer.busySince?.(reloadedAt, undefined, signal), { timeout: 15_000 }).toEqual([]);
      expect(await consumer.busySince(reloadedAt, [], signal)).toEqual([]);
    },
  );

  it("describes what users will feel, one clause each", () => {
    const { reload, prove } = running.consumer.describe();
    forPeople(reload, prove);
  });

  describe("an abort", () => {
    it("that came before is honoured by every method", async () => {
      const reason = new Error("enough");
      const aborted = AbortSignal.abort(reason);
      await expect(running.consumer.preflight(old, aborted)).rejects.toBe(reason);
      await expect(running.consumer.reload(old, aborted)).rejects.toBe(reason);
      await expect(running.consumer.prove(old, aborted)).rejects.toBe(reason);
    });

    it("in the middle ends the call at once", async () => {
      const reason = new Error("enough");
      const controller = new AbortController();
      const proof = running.consumer.prove(old, controller.signal);
      setImmediate(() => controller.abort(reason));
      await expect(proof).rejects.toBe(reason);
    });
  });

  // Last, because a real gateway takes long to start again.
  it("throws when the program does not run, when it is to reload and when it is to show what it uses", async () => {
    await running.programEnds();
    await passing(running.consumer.reload(old, signal));
    await passing(running.consumer.prove(old, signal));
  });
}

const [able, unable] = [false, true].map((missing) => CONSUMER_FIXTURES.filter(({ skipped }) => (skipped !== undefined) === missing));
describe.each(able ?? [])("the consumer $name", suite);
describe.skip.each(unable ?? [])("the consumer $name (skipped: $skipped)", suite);
for (const { name, skipped } of unable ?? []) console.warn(`the consumer ${name}: skipped: ${skipped}`);
