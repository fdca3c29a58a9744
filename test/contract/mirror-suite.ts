import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AdapterError } from "../../src/contract/errors.ts";
import { Secret } from "../../src/contract/secret.ts";
import type { MirrorFixture, OpenMirror } from "./mirror-fixture.ts";

const { signal } = new AbortController();
const [one, two, stranger] = ["sk-canary-one", "sk-canary-two", "sk-canary-stranger"] as const;

/** Each sentence of the contract of a mirror as a test, over real places or strict doubles of them. */
export function testMirrors(fixtures: readonly MirrorFixture[]): void {
  describe.each(fixtures)("the mirror $name", ({ openMirror, quietMs = 0 }) => {
    let opened: OpenMirror;
    beforeEach(async () => {
      opened = await openMirror();
    });
    afterEach(() => opened.close());

    const mirror = () => opened.connectMirror("first");
    const seen = () => opened.seen("first");
    const content = () => opened.content?.() ?? opened.snapshot();
    const write = (value: string, over?: string) =>
      mirror().write(new Secret(value), over === undefined ? undefined : new Secret(over), signal);

    async function refusal(work: Promise<unknown>): Promise<AdapterError> {
      const error: unknown = await work.then(
        () => undefined,
        (reason: unknown) => reason,
      );
      expect(error).toBeInstanceOf(AdapterError);
      expect((error as AdapterError).message + (error as AdapterError).hint).not.toContain("canary");
      return error as AdapterError;
    }

    it("tries a write and leaves nothing behind, in an empty place and in one that serves", async () => {
      for (const prepare of [async () => undefined, () => write(one)]) {
        await prepare();
        const before = await opened.snapshot();
        await mirror().preflight(signal);
        expect(await opened.snapshot()).toEqual(before);
      }
    });

    it("reads the value that its readers get, and undefined only when there is none", async () => {
      expect(await mirror().read(signal)).toBeUndefined();
      await opened.strangerWrites("first", stranger);
      expect((await mirror().read(signal))?.reveal()).toBe(stranger);
    });

    it("puts a secret in the place of nothing and of over, and back again", async () => {
      await write(one);
      expect(await seen()).toBe(one);
      await write(two, one);
      expect(await seen()).toBe(two);
      await write(one, two);
      expect((await mirror().read(signal))?.reveal()).toBe(one);
    });

    it("does nothing when the secret is there already, whatever over says", async () => {
      await write(one);
      const before = await opened.snapshot();
      for (const over of [undefined, two, one]) await write(one, over);
      expect(await opened.snapshot()).toEqual(before);
    });

    it("refuses a stranger's value as foreign, and nothing where over should be, and changes nothing", async () => {
      expect((await refusal(write(two, one))).code).toBe("foreign");
      expect(await seen()).toBeUndefined();
      await opened.strangerWrites("first", stranger);
      const before = await opened.snapshot();
      for (const over of [one, undefined]) expect((await refusal(write(two, over))).code).toBe("foreign");
      expect(await opened.snapshot()).toEqual(before);
    });

    it("loses nothing when two credentials write into one document at once", async () => {
      const values = Array.from({ length: 6 }, (_, index) => `sk-canary-${index}`);
      await Promise.all(
        (["first", "second"] as const).map(async (cell) => {
          let over: Secret | undefined;
          for (const value of values.map((text) => new Secret(`${text}-${cell}`))) {
            await opened.connectMirror(cell).write(value, over, signal);
            over = value;
          }
        }),
      );
      expect([await opened.seen("first"), await opened.seen("second")]).toEqual(["sk-canary-5-first", "sk-canary-5-second"]);
    });

    it.each(["before", "after"] as const)(
      "holds the old or the new value after a crash at any operation (%s it), and the next try leaves nothing behind",
      { timeout: 150_000 },
      async (when) => {
        await sleep(quietMs);
        await write(one);
        await write(two, one);
        const whole = await content();
        let points = 0;
        for (let at = 1; ; at += 1) {
          await write(one, two);
          const old = await opened.snapshot();
          const dying = opened.connectFailingMirror?.("first", at, when);
          if (dying === undefined) throw new Error("this mirror does not count its operations");
          const error = await dying.mirror.write(new Secret(two), new Secret(one), signal).catch((reason: unknown) => reason);
          if (!dying.failed()) break;
          points += 1;
          expect(error).toMatchObject({ code: "unavailable" });
          expect([one, two]).toContain(await seen());
          if (at === 1 && when === "before") expect(await opened.snapshot()).toEqual(old);
          await write(two, one);
          expect(await content()).toEqual(whole);
        }
        expect(points).toBeGreaterThan(2);
      },
    );

    it("honours an abort in every method, and changes nothing", async () => {
      const before = await opened.snapshot();
      const reason = new Error("enough");
      const aborted = AbortSignal.abort(reason);
      await expect(mirror().preflight(aborted)).rejects.toBe(reason);
      await expect(mirror().read(aborted)).rejects.toBe(reason);
      await expect(mirror().write(new Secret(one), undefined, aborted)).rejects.toBe(reason);
      expect(await opened.snapshot()).toEqual(before);
    });
  });
}
