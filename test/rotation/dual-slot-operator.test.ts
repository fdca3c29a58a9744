import { describe, expect, test } from "vitest";
import { rotatectl } from "../support/rotatectl.ts";
import { type SlotHost, withSlots } from "../support/slot-host.ts";

/** Puts another configuration in force. */
async function configure(host: SlotHost, config: object): Promise<void> {
  const before = host.host.log.split("configuration read again").length;
  host.host.configure(config);
  host.host.daemon?.kill("SIGHUP");
  await host.until("it is in force", () => host.host.log.split("configuration read again").length > before);
}

describe.concurrent("dual-slot, to an operator", () => {
  test("plan says that both regenerations cannot be undone, and a rotation does no more than it says", { timeout: 90_000 }, () =>
    withSlots({}, async (host) => {
      const plan = await host.person.call("plan", { name: "main" });
      expect(plan).toMatchObject({ plan: "dual-slot", findings: [], notes: [expect.stringContaining("before anything can be undone")] });
      expect(plan.effects.flatMap(({ step, irreversible }) => (irreversible ? [step] : []))).toEqual(["create", "revoke"]);
      const before = plan.effects.filter(({ step }) => step === "create").map(({ target }) => target.kind);
      expect(before, "a live request through the consumer comes first").toEqual(["consumer", "provider", "store"]);
      const printed = await rotatectl(host.host.socket, "plan", "main");
      expect(printed).toMatchObject({ code: 0, stderr: "" });
      expect(printed.stdout).toMatch(
        /create .*regenerates the one of the two keys of fake-account that does not serve.*\(cannot be undone\)/,
      );

      expect(host.regenerations(), "planning changes nothing").toEqual([]);
      expect((await host.ended(await host.rotate())).outcome).toBe("done");
      expect(host.regenerations()).toHaveLength(2);
      await host.expectPromisesHold();
    }),
  );

  test("an account that others may use is not touched, and told with its cure", { timeout: 90_000 }, () =>
    withSlots({ provider: { exclusive: false } }, async (host) => {
      const planned = await rotatectl(host.host.socket, "plan", "main");
      expect(planned.code).toBe(1);
      expect(planned.stdout).toContain("set exclusive: true");
      expect(await host.ended(await host.rotate())).toMatchObject({ outcome: "failed", lastError: { code: "notExclusive" } });
      expect(host.regenerations()).toEqual([]);
    }),
  );

  test("a second credential on the account is refused: one needs both slots", { timeout: 90_000 }, () =>
    withSlots({}, async (host) => {
      const config = host.config();
      host.host.write("second.json", JSON.stringify({ openai: { apiKey: host.vendor.vendor.slot("Key2").secret } }));
      const store = { use: "local", path: host.host.path("second.json"), field: "/openai/apiKey" };
      const second = { ...config.credentials.main, store };
      await configure(host, { ...config, credentials: { ...config.credentials, second } });
      const refused = host.person.call("adopt", { name: "second" });
      await expect(refused).rejects.toMatchObject({
        code: "conflict",
        message: expect.stringContaining("main rotates the two keys of azure"),
      });
      await host.person.call("retire", { name: "main" });
      expect((await host.person.call("adopt", { name: "second" })).key.vendorId).toMatch(/^Key2:/);
      await expect(host.person.call("adopt", { name: "main" })).rejects.toMatchObject({ code: "conflict" });
    }),
  );

  test("two credentials that are adopted at once get one slot, and not one each", { timeout: 90_000 }, () =>
    withSlots({}, async (host) => {
      const config = host.config();
      await host.person.call("retire", { name: "main" });
      host.host.write("second.json", JSON.stringify({ openai: { apiKey: host.vendor.vendor.slot("Key2").secret } }));
      host.host.write("third.json", JSON.stringify({ openai: { apiKey: host.vendor.vendor.slot("Key1").secret } }));
      const on = (file: string) => ({
        ...config.credentials.main,
        store: { use: "local", path: host.host.path(file), field: "/openai/apiKey" },
      });
      await configure(host, { ...config, credentials: { ...config.credentials, second: on("second.json"), third: on("third.json") } });
      const adopted = await Promise.allSettled(["second", "third"].map((name) => host.person.call("adopt", { name })));
      expect(adopted.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
      const refused = adopted.find((one) => one.status === "rejected");
      expect(refused?.reason).toMatchObject({ code: "conflict", message: expect.stringContaining("rotates the two keys of azure") });
    }),
  );

  test("an empty store is not filled: there is a key already, and it is adopted", { timeout: 90_000 }, () =>
    withSlots({}, async (host) => {
      host.host.write("secrets.json", "{}");
      expect((await host.person.call("plan", { name: "main" })).findings.map(({ code }) => code)).toContain("noSlot");
      expect(await host.ended(await host.rotate())).toMatchObject({ outcome: "failed", lastError: { code: "nothingToReplace" } });
      expect(host.regenerations()).toEqual([]);
    }),
  );
});
