import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AdapterError } from "../../src/contract/errors.ts";
import { Secret } from "../../src/contract/secret.ts";
import { type OpenStore, STORE_FIXTURES } from "./store-fixture.ts";

const { signal } = new AbortController();
const [one, two, stranger] = ["sk-canary-one", "sk-canary-two", "sk-canary-stranger"] as const;

describe.each(Object.values(STORE_FIXTURES).flat())("the store $name", ({ open }) => {
  let opened: OpenStore;
  beforeEach(async () => {
    opened = await open();
  });
  afterEach(() => opened.close());

  const first = () => opened.connect("first");
  const value = async (which: Parameters<ReturnType<typeof first>["read"]>[0]) => (await first().read(which, signal))?.reveal();

  async function serving(): Promise<void> {
    await first().stage("v1", new Secret(one), signal);
    await first().promote("v1", undefined, signal);
    await first().stage("v2", new Secret(two), signal);
  }

  async function refusal(work: Promise<unknown>): Promise<AdapterError> {
    const error = await work.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(AdapterError);
    expect(String((error as AdapterError).message) + (error as AdapterError).hint).not.toContain("canary");
    return error as AdapterError;
  }

  describe("preflight", () => {
    it("leaves nothing behind, in an empty place and in one that serves", async () => {
      const empty = await opened.snapshot();
      await first().preflight(signal);
      expect(await opened.snapshot()).toEqual(empty);
      await serving();
      const full = await opened.snapshot();
      await first().preflight(signal);
      expect(await opened.snapshot()).toEqual(full);
    });

    it("throws what would go wrong", async () => {
      expect(await refusal(opened.connectFailing("first", 1, "before").store.preflight(signal))).toMatchObject({ code: "unavailable" });
    });
  });

  describe("read", () => {
    it("gives undefined only when there is none", async () => {
      expect(await value("current")).toBeUndefined();
      expect(await value({ version: "v1" })).toBeUndefined();
      await refusal(opened.connectFailing("first", 1, "before").store.read("current", signal));
      await refusal(opened.connectFailing("first", 1, "before").store.read({ version: "v1" }, signal));
    });

    it("gives the value that consumers read, whoever wrote it", async () => {
      await opened.strangerWrites("first", stranger);
      expect(await value("current")).toBe(stranger);
      await opened.strangerWrites("first", one);
      expect(await value("current")).toBe(one);
    });
  });

  describe("stage", () => {
    it("keeps a version that consumers do not see", async () => {
      await first().stage("v1", new Secret(one), signal);
      expect(await value({ version: "v1" })).toBe(one);
      expect(await opened.seen("first")).toBeUndefined();
      expect(await value("current")).toBeUndefined();
    });

    it("does nothing for the same version and value again", async () => {
      await first().stage("v1", new Secret(one), signal);
      const before = await opened.snapshot();
      await first().stage("v1", new Secret(one), signal);
      expect(await opened.snapshot()).toEqual(before);
    });

    it("never changes the value of a version", async () => {
      await first().stage("v1", new Secret(one), signal);
      expect((await refusal(first().stage("v1", new Secret(two), signal))).code).toBe("invalid");
      expect(await value({ version: "v1" })).toBe(one);
    });

    it.each(["", "../v1", "v/1", ".", "v 1", "v\n1", "x".repeat(65)])("refuses the name %j", async (version) => {
      const before = await opened.snapshot();
      expect((await refusal(first().stage(version, new Secret(one), signal))).code).toBe("invalid");
      expect(await opened.snapshot()).toEqual(before);
    });

    it.each(["", "sk-canary\n", "sk-\r\ncanary"])("refuses a value that would not come back as it was (%j)", async (text) => {
      expect((await refusal(first().stage("v1", new Secret(text), signal))).code).toBe("invalid");
    });
  });

  describe("promote", () => {
    it("makes a kept version current in the place of nothing, and of the version over", async () => {
      await first().stage("v1", new Secret(one), signal);
      await first().promote("v1", undefined, signal);
      expect(await opened.seen("first")).toBe(one);
      await first().stage("v2", new Secret(two), signal);
      await first().promote("v2", "v1", signal);
      expect(await opened.seen("first")).toBe(two);
      expect(await value("current")).toBe(two);
    });

    it("leaves over in the keep, and promoting back brings it back and nothing else", async () => {
      await serving();
      const before = await opened.snapshot();
      await first().promote("v2", "v1", signal);
      expect(await value({ version: "v1" })).toBe(one);
      await first().promote("v1", "v2", signal);
      expect(await opened.snapshot()).toEqual(before);
    });

    it("does nothing when the version is current already, whatever over says", async () => {
      await serving();
      const before = await opened.snapshot();
      await first().promote("v1", undefined, signal);
      await first().promote("v1", "v2", signal);
      await first().promote("v1", "gone", signal);
      expect(await opened.snapshot()).toEqual(before);
    });

    it("refuses a stranger's value as foreign and changes nothing", async () => {
      await serving();
      await opened.strangerWrites("first", stranger);
      const before = await opened.snapshot();
      for (const over of ["v1", undefined, "gone", "v2"]) expect((await refusal(first().promote("v2", over, signal))).code).toBe("foreign");
      expect(await opened.snapshot()).toEqual(before);
    });

    it("refuses as foreign what is ours but not over, and nothing where over should be", async () => {
      await serving();
      await first().stage("v3", new Secret("sk-canary-three"), signal);
      expect((await refusal(first().promote("v3", "v2", signal))).code).toBe("foreign");
      expect((await refusal(first().promote("v3", undefined, signal))).code).toBe("foreign");
      expect(await opened.seen("first")).toBe(one);
      await opened.connect("second").stage("v1", new Secret(one), signal);
      expect((await refusal(opened.connect("second").promote("v1", "v0", signal))).code).toBe("foreign");
      expect(await opened.seen("second")).toBeUndefined();
    });

    it("refuses a version that is not in the keep", async () => {
      expect((await refusal(first().promote("v1", undefined, signal))).code).toBe("notFound");
    });
  });

  describe("discard", () => {
    it("drops a version, twice without harm, and never touches the current value", async () => {
      await serving();
      await first().discard("v1", signal);
      await first().discard("v1", signal);
      expect(await value({ version: "v1" })).toBeUndefined();
      expect(await value({ version: "v2" })).toBe(two);
      expect(await opened.seen("first")).toBe(one);
    });

    it("resolves for a version that never was", async () => {
      await first().discard("never", signal);
    });
  });

  describe("two credentials in one document", () => {
    it("keep apart versions of one name", async () => {
      const second = opened.connect("second");
      await serving();
      await second.stage("v1", new Secret("sk-canary-second"), signal);
      await second.promote("v1", undefined, signal);
      await first().discard("v1", signal);
      expect((await second.read({ version: "v1" }, signal))?.reveal()).toBe("sk-canary-second");
      expect([await opened.seen("first"), await opened.seen("second")]).toEqual([one, "sk-canary-second"]);
    });

    it("lose nothing when they write at once", async () => {
      const secrets = Array.from({ length: 8 }, (_, index) => `sk-canary-${index}`);
      await Promise.all(
        (["first", "second"] as const).map(async (cell) => {
          const store = opened.connect(cell);
          for (const [index, text] of secrets.entries()) {
            await store.stage(`v${index}`, new Secret(`${text}-${cell}`), signal);
            await store.promote(`v${index}`, index === 0 ? undefined : `v${index - 1}`, signal);
          }
        }),
      );
      expect([await opened.seen("first"), await opened.seen("second")]).toEqual(["sk-canary-7-first", "sk-canary-7-second"]);
    });
  });

  describe("a crash at any operation", () => {
    it.each(["before", "after"] as const)(
      "of promote (%s it): the old or the new document, the keep whole, and the next try succeeds",
      async (when) => {
        let points = 0;
        for (let at = 1; ; at += 1) {
          const place = await open();
          try {
            const store = place.connect("first");
            await store.stage("v1", new Secret(one), signal);
            await store.promote("v1", undefined, signal);
            await store.stage("v2", new Secret(two), signal);
            const old = await place.snapshot();
            const dying = place.connectFailing("first", at, when);
            const error = await dying.store.promote("v2", "v1", signal).catch((reason: unknown) => reason);
            if (!dying.failed()) {
              expect(error).toBeUndefined();
              break;
            }
            points += 1;
            expect(error).toMatchObject({ code: "unavailable" });
            expect([one, two]).toContain(await place.seen("first"));
            if ((await place.seen("first")) === one) expect(await place.snapshot()).toEqual(old);
            expect((await store.read({ version: "v1" }, signal))?.reveal()).toBe(one);
            expect((await store.read({ version: "v2" }, signal))?.reveal()).toBe(two);
            await store.promote("v2", "v1", signal);
            expect(await place.seen("first")).toBe(two);
          } finally {
            await place.close();
          }
        }
        expect(points).toBeGreaterThan(2);
      },
    );

    it("of stage: the version is kept or it is not, and staging again succeeds", async () => {
      let points = 0;
      for (let at = 1; at < 50; at += 1) {
        const place = await open();
        try {
          const dying = place.connectFailing("first", at, "after");
          await dying.store.stage("v1", new Secret(one), signal).catch(() => undefined);
          if (!dying.failed()) break;
          points += 1;
          const store = place.connect("first");
          expect([undefined, one]).toContain((await store.read({ version: "v1" }, signal))?.reveal());
          await store.stage("v1", new Secret(one), signal);
          expect((await store.read({ version: "v1" }, signal))?.reveal()).toBe(one);
        } finally {
          await place.close();
        }
      }
      expect(points).toBeGreaterThan(0);
    });
  });

  it("honours an abort in every method, and changes nothing", async () => {
    await serving();
    const before = await opened.snapshot();
    const reason = new Error("enough");
    const aborted = AbortSignal.abort(reason);
    const store = first();
    await expect(store.preflight(aborted)).rejects.toBe(reason);
    await expect(store.read("current", aborted)).rejects.toBe(reason);
    await expect(store.stage("v3", new Secret("sk-canary-three"), aborted)).rejects.toBe(reason);
    await expect(store.promote("v2", "v1", aborted)).rejects.toBe(reason);
    await expect(store.discard("v1", aborted)).rejects.toBe(reason);
    expect(await opened.snapshot()).toEqual(before);
    await store.promote("v2", "v1", signal);
  });
});
