import { describe, expect, test } from "vitest";
import { expectPromisesHold } from "../kill/invariants.ts";
import { adminCalls, ended, KEEP, SHORT_CALLS, until, withHost } from "./scenario.ts";

describe.concurrent("a store that was restored holds a key that was revoked since", () => {
  test("a dead one: the next rotation replaces it, and takes care of the one that served", { timeout: 120_000 }, () =>
    withHost({}, async (host) => {
      const backup = host.host.read("secrets.json");
      const { target } = await ended(host, (await host.rotate()).id);
      host.host.write("secrets.json", backup);
      host.startLoad();
      const rotation = await ended(host, (await host.rotate()).id);
      expect(rotation).toMatchObject({ outcome: "done", old: target, lastError: null });
      await expectPromisesHold(host, rotation, "made", { started: 2 });
    }),
  );

  test("one whose revoke got no answer: it is not adopted, and the next rotation makes it dead", { timeout: 120_000 }, () =>
    withHost({ timing: SHORT_CALLS }, async (host) => {
      const backup = host.host.read("secrets.json");
      const release = KEEP.revoke(host);
      await host.rotate();
      await until(host, "it has asked", () => adminCalls(host, "DELETE").length > 0);
      await host.host.client.call("abandon", { name: "main" });
      host.host.write("secrets.json", backup);
      await expect(host.host.client.call("adopt", { name: "main" })).rejects.toThrow(/is in the ledger of main already, as retiring/);
      await release();
      host.startLoad();
      const rotation = await ended(host, (await host.rotate()).id);
      expect(rotation).toMatchObject({ outcome: "done", lastError: null });
      await expectPromisesHold(host, rotation, "made", { started: 2 });
    }),
  );
});
