import { describe, expect, test } from "vitest";
import { CALL_MS, SHORT_CALLS } from "./scenario.ts";
import { type TwoPlacesHost, USER, withTwoPlaces } from "./two-places-host.ts";

const LIMIT = { timeout: 120_000 } as const;
const LOST = { path: "/CreateServiceSpecificCredential$", times: 1, fault: { do: "loseReply" } } as const;

/** One key is there, the store holds it, the ledger calls it current, and AWS never had to refuse a third one. */
async function expectOneKey(here: TwoPlacesHost, name = "main"): Promise<void> {
  const shown = await here.show(name);
  const current = shown.keys.filter(({ stage }) => stage !== "dead");
  expect(current.map(({ stage }) => stage)).toEqual(["current"]);
  expect(shown.openIntents).toEqual([]);
  const key = here.bedrock.vendor.key(current[0]?.vendorId ?? "");
  expect(key).toMatchObject({ active: true, deletedAt: null });
  expect(here.host.read(name).trimEnd()).toBe(key.secret);
  expect(here.bedrock.refused).not.toContain("LimitExceeded");
  expect(here.host.log).not.toContain("canary");
}

describe("a user with one key", () => {
  test("a rotation makes the second, waits until Bedrock knows it, switches the first off, and deletes it", LIMIT, () =>
    withTwoPlaces({}, async (here) => {
      const [old] = here.bedrock.vendor.of(USER);
      Object.assign(old ?? {}, { bornAt: Date.now() - 60_000 });
      Object.assign(here.bedrock.vendor.lags, { newKeyMs: 300, revokedMs: 300 });
      expect((await here.ended(await here.rotate())).outcome).toBe("done");
      expect(here.changes()).toEqual(["Create", "Update", "Delete"]);
      expect(old?.deletedAt).not.toBeNull();
      expect(here.secrets()).toHaveLength(1);
      await expectOneKey(here);
    }),
  );

  test("one that has expired is no place less: it is replaced and deleted", LIMIT, () =>
    withTwoPlaces({}, async (here) => {
      const [old] = here.bedrock.vendor.of(USER);
      Object.assign(old ?? {}, { expiresAt: Date.now() - 1000 });
      expect((await here.ended(await here.rotate())).outcome).toBe("done");
      expect(here.changes()).toEqual(["Create", "Delete"]);
      await expectOneKey(here);
    }),
  );
});

describe("a create call without an answer", () => {
  test("exclusive: the key that appeared is known as ours, deleted for room, and another one is made", LIMIT, () =>
    withTwoPlaces({ exclusive: true, timing: SHORT_CALLS }, async (here) => {
      here.bedrock.faults.add(LOST);
      const rotation = await here.ended(await here.rotate());
      expect(rotation.outcome).toBe("done");
      expect(here.changes()).toEqual(["Create", "Delete", "Create", "Update", "Delete"]);
      expect(await here.events("keyFound")).toMatchObject([{ detail: { serves: false } }]);
      const [first, second] = here.bedrock.log.filter(({ what }) => what.startsWith("Create"));
      expect((second?.at ?? 0) - (first?.at ?? 0), "the first could no longer take effect").toBeGreaterThan(1.8 * CALL_MS);
      await expectOneKey(here);
    }),
  );

  test("not exclusive: a person is shown its id, nothing is deleted, and it goes on when they have deleted it", LIMIT, () =>
    withTwoPlaces({ timing: SHORT_CALLS }, async (here) => {
      here.bedrock.faults.add(LOST);
      const id = await here.rotate();
      const [, lost] = [await here.stuck(id), here.bedrock.vendor.of(USER)[1]];
      expect((await here.view(id)).stuck?.reason).toBe(
        `bedrock: ${lost?.id} may come from a create call without an answer, or be somebody else's`,
      );
      expect(here.changes()).toEqual(["Create"]);
      Object.assign(lost ?? {}, { deletedAt: Date.now() });
      await here.host.client.call("retry", { name: "main" });
      expect((await here.ended(id)).outcome).toBe("done");
      expect(here.changes()).toEqual(["Create", "Create", "Update", "Delete"]);
      await expectOneKey(here);
    }),
  );

  test("not exclusive, and the person leaves it: it waits for a place, and never touches that key", LIMIT, () =>
    withTwoPlaces({ timing: { ...SHORT_CALLS, tellAfter: "100ms" } }, async (here) => {
      here.bedrock.faults.add(LOST);
      const id = await here.rotate();
      await here.until(id, "a leftover is shown", ({ stuck }) => stuck?.reason.includes("without an answer") === true);
      const left = here.bedrock.vendor.of(USER)[1];
      await here.host.client.call("retry", { name: "main" });
      await here.until(id, "it waits for a place", ({ stuck }) => stuck?.reason === "bedrock: all 2 places for keys are taken");
      expect(here.changes()).toEqual(["Create"]);
      expect(left).toMatchObject({ active: true, deletedAt: null });
      Object.assign(left ?? {}, { deletedAt: Date.now() });
      expect((await here.ended(id)).outcome).toBe("done");
      await expectOneKey(here);
    }),
  );
});

describe("no place left", () => {
  test("both are active and one is a stranger's: it ends before anything is changed", LIMIT, () =>
    withTwoPlaces({ exclusive: true }, async (here) => {
      const stranger = here.bedrock.vendor.addKey(USER);
      const before = here.host.read("main");
      const rotation = await here.ended(await here.rotate());
      expect(rotation).toMatchObject({ outcome: "failed", lastError: { code: "noPlace", message: expect.stringContaining(stranger.id) } });
      expect(here.changes()).toEqual([]);
      expect(here.host.read("main")).toBe(before);
    }),
  );

  test("the other one is a debt of ours that never served: it makes room first", LIMIT, () =>
    withTwoPlaces({}, async (here) => {
      here.bedrock.vendor.lags.newKeyMs = 3_600_000;
      const [old] = here.bedrock.vendor.of(USER);
      Object.assign(old ?? {}, { bornAt: 0 });
      const first = await here.rotate();
      await here.until(first, "its key is verified", ({ step }) => step === "verify");
      await here.host.client.call("abandon", { name: "main" });
      here.bedrock.vendor.lags.newKeyMs = 0;
      expect((await here.ended(await here.rotate())).outcome).toBe("done");
      expect(here.changes()).toEqual(["Create", "Delete", "Create", "Update", "Delete"]);
      await expectOneKey(here);
    }),
  );

  test("the other one served and is switched off: it is deleted with proof, and the rotation after that has room", LIMIT, () =>
    withTwoPlaces({ timing: SHORT_CALLS }, async (here) => {
      here.bedrock.faults.add({ path: "/DeleteServiceSpecificCredential$", fault: { do: "reply", status: 500 } });
      const first = await here.rotate();
      await here.until(first, "it has asked for the deletion", () => here.changes().includes("Delete"));
      await here.host.client.call("abandon", { name: "main" });
      here.bedrock.faults.clear();
      const [off, serving] = here.bedrock.vendor.of(USER);
      expect([off?.active, serving?.active]).toEqual([false, true]);

      const second = await here.ended(await here.rotate());
      expect(second).toMatchObject({ outcome: "failed", lastError: { code: "noPlace" } });
      expect(here.bedrock.vendor.of(USER)).toEqual([serving]);
      expect((await here.ended(await here.rotate())).outcome).toBe("done");
      await expectOneKey(here);
    }),
  );
});

describe("two credentials of one user", () => {
  test.each([
    ["the one with a key is first", "main", "second"],
    ["the one without is first", "second", "main"],
  ])("%s: a place is reserved by who announces first, and the other waits", LIMIT, (_, first, other) =>
    withTwoPlaces({ empty: ["second"], timing: { tellAfter: "100ms" } }, async (here) => {
      here.bedrock.faults.add({ path: "/CreateServiceSpecificCredential$", times: 1, fault: { do: "delay", ms: 1500 } });
      const one = await here.rotate(first);
      await here.until(one, "its create call is under way", () => here.changes().includes("Create"));
      const two = await here.rotate(other);
      await here.until(two, "it waits for a place", ({ stuck }) => stuck?.reason === "bedrock: all 2 places for keys are taken");
      expect(here.changes()).toEqual(["Create"]);
      expect((await here.ended(one)).outcome).toBe("done");
      if (first === "main") {
        expect((await here.ended(two)).outcome).toBe("done");
        await expectOneKey(here, "second");
      } else {
        // Each of them has a place now, and a rotation needs a third: only a person can make room.
        expect(here.bedrock.vendor.of(USER)).toHaveLength(2);
        expect((await here.view(two)).outcome).toBeNull();
      }
      await expectOneKey(here, first);
    }),
  );
});
